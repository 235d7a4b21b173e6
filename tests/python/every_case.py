# SPDX-License-Identifier: BSD-3-Clause
"""Computes every operation once at several dtypes, and prints a digest of the bits of each result, a line a case.

The cases and their data are the benchmark's, so a new operation is here by being there.
"""

import hashlib
import pathlib
import sys

import numpy as np

import numd

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))
from bench.kernels import kernel_cases, kernel_timing, operands  # noqa: E402

DTYPES = ["float64", "float32", "complex128", "int16"]
N = 150_000
SEED = 5


def digest(value):
    parts = value if isinstance(value, list) else [value]
    return hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in parts)).hexdigest()


def main():
    arrays = operands.Arrays(numd, SEED, 1 << 28)
    for row in numd.ops():
        operation = kernel_timing.Operation(row.name, row.kind, row.typing, row.dtypes, row.fast)
        for dtype in map(np.dtype, DTYPES):
            if kernel_cases.why_left_out(kernel_cases.case_of(row.name), dtype.name, N) or dtype.kind not in row.dtypes:
                continue
            setting = kernel_timing.Setting(numd, arrays, operation, dtype, N)
            _, value = setting.compile_numd(setting.numd_text)(1)
            result = setting.result(setting.numd_text, setting.numd_values, value)
            print(row.name, dtype, digest(result), flush=True)
        arrays.trim()


if __name__ == "__main__":
    main()
