# SPDX-License-Identifier: BSD-3-Clause
"""Writes the C source of cffi's glue (API mode) for the declarations in a file: MODULE DECLARATIONS OUT."""
import pathlib
import sys

import cffi

module, declarations, out = sys.argv[1:]
builder = cffi.FFI()
builder.cdef(pathlib.Path(declarations).read_text())
builder.set_source(module, '#include "scripts/bench/ways_c/loops.h"')
builder.emit_c_code(out)
