# SPDX-License-Identifier: BSD-3-Clause
"""The daemon's engine called by a C program in its own process: the same kernels, no other process."""
from bench.subjects.way import Way

WAYS = [Way(name="c-direct", title="numd’s kernel, from C", group="process", client="c", core=True, summary=(None,),
            program="bench/bench-direct")]
