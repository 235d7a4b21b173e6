# SPDX-License-Identifier: BSD-3-Clause
"""What a C program does without a library: a partner process that computes with numd's kernels, told through a Unix
stream socket that carries the arrays, or by semaphores beside arrays in shared memory."""
from bench.subjects.way import BY_VALUE, Way

PROGRAM = "bench/bench-peer"
NEEDS = ("libnumd-engine.so",)

WAYS = [Way(name="c-unix-stream", title="Unix socket, from C", group="streams", client="c", program=PROGRAM,
            argument="stream", needs=NEEDS, largest=BY_VALUE),
        Way(name="c-semaphore", title="semaphores, from C", group="shared", client="c", program=PROGRAM,
            argument="semaphore", needs=NEEDS)]
