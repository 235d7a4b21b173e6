# SPDX-License-Identifier: BSD-3-Clause
"""What the tests injected, and what became of it: a table at the end of the run.

SCALE is the part of each hazard's figure that is injected: 1 is all of it (`make faults`); a hundredth unless it is
given, so that every test of every day has a little.
"""

import os

SCALE = float(os.environ.get("SCALE") or 0.01)

_entries = {}


def scaled(figure, least=1):
    """So many of `figure` as SCALE says."""
    return max(least, round(figure * SCALE))


def note(hazard, injected, survived, lost="nothing"):
    """Adds to the hazard's row: how often it was injected and survived, and what was lost by whom it hit."""
    before = _entries.get(hazard, (0, 0, lost))
    _entries[hazard] = (before[0] + injected, before[1] + survived, lost)


def entries():
    """All rows, as what `add` takes in another process."""
    return [[hazard, *row] for hazard, row in _entries.items()]


def add(rows):
    for row in rows:
        note(*row)


def table():
    """The rows, as lines of text."""
    if not _entries:
        return []
    rows = [("hazard", "injected", "survived", "lost")]
    rows += [(hazard, str(injected), str(survived), lost) for hazard, (injected, survived, lost) in _entries.items()]
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    return [f"{a:{widths[0]}}  {b:>{widths[1]}}  {c:>{widths[2]}}  {d}".rstrip()
            for a, b, c, d in rows]
