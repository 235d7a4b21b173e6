# SPDX-License-Identifier: BSD-3-Clause
"""What saying something to another process and hearing back takes at least on this machine; plain C."""
from bench.subjects.way import Way

TITLES = {"cache-line": "one cache line, both spinning", "semaphore": "semaphores, two cores",
          "semaphore-same-core": "semaphores, one core", "unix-socket": "Unix socket, 64 bytes"}
WAYS = [Way(name=name, title=title, group="floor", client="c", program="bench/bench-floors", argument=name, floor=True,
            core=True, opening=(None,) if name != "semaphore-same-core" else ())
        for name, title in TITLES.items()]
