# SPDX-License-Identifier: BSD-3-Clause
"""Pages that are made from the lists are those that the lists make now."""

import os
import pathlib
import subprocess

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()


def numdctl(*words):
    return subprocess.run([BUILD / "numdctl", *words], stdout=subprocess.PIPE, text=True, check=True, timeout=20).stdout


def test_operations_page_is_current():
    page = (TOP / "protocol" / "OPERATIONS.md").read_text(encoding="utf-8")
    assert page == numdctl("ops", "--markdown"), "run `make docs`"


def test_every_operation_and_dtype_is_listed():
    import numd

    text, dtypes = numdctl("ops"), numdctl("dtypes")
    for op in numd.ops():
        assert f"\n{op.name} " in text and op.documentation in text
    for name in numd._numd._dtypes:
        assert f"\n{name} " in dtypes
