# SPDX-License-Identifier: BSD-3-Clause
"""The same plain C loops called in process through an extension on NumPy's C API, and through cffi with compiled glue
(API mode) and without (ABI mode); and loops in Cython over typed memoryviews. They are in ways_c/."""
import importlib.machinery
import importlib.util

import numpy as np

from bench.subjects.way import Call, Way

ARGUMENT = ""  # set by runner.py
SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
CFFI = (("_cffi_backend", "python3-cffi"), ("cffi", "python3-cffi"))


def compiled(name, title, file, modules=()):
    # The loops do not tile: a larger product would say nothing about calls.
    return Way(name=name, title=title, group="process", client="python", argument=name, needs=(f"bench/{file}",),
               modules=modules, largest_side=256)


WAYS = [compiled("c-extension", "C extension", f"_bench_extension{SUFFIX}"),
        compiled("cython", "Cython", f"_bench_cython{SUFFIX}"),
        compiled("cffi-api", "cffi, compiled", f"_bench_cffi{SUFFIX}", CFFI),
        compiled("cffi-abi", "cffi, not compiled", "libbench-loops.so", CFFI)]


def load(job, name):
    spec = importlib.util.spec_from_file_location(name, job.build / "bench" / f"{name}{SUFFIX}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def cffi_library(job):
    """(ffi, library)"""
    if ARGUMENT == "cffi-api":
        module = load(job, "_bench_cffi")
        return module.ffi, module.lib
    import cffi
    ffi = cffi.FFI()
    ffi.cdef((job.build / "bench" / "loops.cdef").read_text())
    return ffi, ffi.dlopen(str(job.build / "bench" / "libbench-loops.so"))


def open_call(job):
    out = np.zeros(job.out_shape or 1)
    arrays = [*job.inputs, out] if job.out_shape else list(job.inputs)
    names, call = dict(zip("abc", arrays)), "f"
    if ARGUMENT in ("cffi-api", "cffi-abi"):
        ffi, library = cffi_library(job)
        names = {name: ffi.from_buffer("double[]", x) for name, x in names.items()}
        names.update(library=library, n=job.inputs[0].shape[0])
        call = f"library.loops_{job.case}"
    else:
        module = load(job, "_bench_extension" if ARGUMENT == "c-extension" else "_bench_cython")
        names["f"] = getattr(module, job.case)
    given = ", ".join(n for n in ("n", "a", "b", "c") if n in names)
    if job.out_shape:
        return Call(f"{call}({given})", names, result=lambda: out, spoil=lambda: out.fill(np.nan))
    return Call(f"r = {call}({given})", names, result=None)
