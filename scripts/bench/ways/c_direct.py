"""The daemon's engine called by a C program in its own process: the same kernels, no other process."""
from way import Way

WAYS = [Way(name="c-direct", client="c", core=True, program="bench/bench-direct")]
