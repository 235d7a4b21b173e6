# SPDX-License-Identifier: BSD-3-Clause
"""numd's C client, through the ring and through the socket."""
from bench.subjects.way import Way

PROGRAM = "bench/bench-numd"
MODES = ("prepared", "adhoc")

WAYS = [
    Way(name="numd-ring", title="numd ring", group="numd", client="c", core=True, opening=("spin",),
        summary=("prepared",), modes=MODES, waits=("spin", "handoff", "sleep", "auto"), program=PROGRAM,
        argument="ring", daemon=True),
    Way(name="numd-socket", title="numd socket", group="numd", client="c", core=True, modes=MODES,
        program=PROGRAM, argument="socket", daemon=True),
]
