# SPDX-License-Identifier: BSD-3-Clause
"""Who holds which memory, and the descriptors behind Python's own kinds of shared memory."""

import ctypes
import json
import mmap
import os
from collections.abc import Sequence

from .. import _numd
from .._errors import public


@public
class Memory(Sequence):
    """The segments of shared memory that the sessions of this user hold; printed as a table.

    Each is a dict: ``what`` (``numd-arrays``, or the name of an object of others), ``bytes``, ``used`` (bytes of
    pages that exist), ``names`` (published), ``handles_in_flight`` (pickled and not loaded yet) and ``holders``,
    a list of dicts with ``pid`` and ``command``.
    """

    def __init__(self, segments):
        self._segments = segments

    def __getitem__(self, index):
        return self._segments[index]

    def __len__(self):
        return len(self._segments)

    @property
    def bytes(self):
        """Bytes of all segments."""
        return sum(segment["bytes"] for segment in self)

    @property
    def used(self):
        """Bytes of their pages that exist."""
        return sum(segment["used"] for segment in self)

    def of(self, pid):
        """The segments that a process holds.

        Parameters
        ----------
        pid : int
            The process.

        Returns
        -------
        Memory
        """
        return Memory([s for s in self if any(holder["pid"] == pid for holder in s["holders"])])

    def _repr_html_(self):
        from .. import _display

        return _display.text(repr(self))

    def __repr__(self):
        rows = [("memory", "bytes", "used", "in flight", "names", "held by")]
        for s in self:
            holders = ", ".join(f"{h['command']} ({h['pid']})" for h in s["holders"])
            flying = str(s["handles_in_flight"] or "")
            names = ", ".join(s["names"])
            rows.append((s["what"], f"{s['bytes']:,}", f"{s['used']:,}", flying, names, holders))
        rows.append(("all", f"{self.bytes:,}", f"{self.used:,}", "", "", ""))
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = []
        for row in rows:
            cells = [
                cell.rjust(width) if 1 <= i <= 3 else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths))
            ]
            lines.append("  ".join(cells).rstrip())
        return "\n".join(lines)


@public
def memory(*, session=None):
    """Who holds what.

    Parameters
    ----------
    session : Session, optional
        Whose daemon is asked; that of the default session if it is None.

    Returns
    -------
    Memory
        A sequence of the segments that any session of this user holds, and those that the daemon keeps for
        published names and for handles that were pickled and not loaded yet.

    Examples
    --------
    >>> import numd, os
    >>> a = numd.ones(1000)
    >>> numd.memory().of(os.getpid()).bytes >= a.nbytes
    True
    """
    return Memory(json.loads(_numd._memory(session))["segments"])


@public
def published(*, session=None):
    """The names of published arrays.

    Parameters
    ----------
    session : Session, optional
        Whose daemon is asked; that of the default session if it is None.

    Returns
    -------
    list of str
        In order.
    """
    return sorted(name for segment in memory(session=session) for name in segment["names"])


def descriptor(memory):
    """A descriptor of the object that an mmap maps; TypeError or ValueError if there is none.

    mmap keeps a descriptor of its own without telling: it is one of this process's, on the same file.
    """
    if not isinstance(memory, mmap.mmap):
        raise TypeError(
            f"memory is a {type(memory).__name__}; a SharedMemory, an mmap, a name, a descriptor or a file is wanted"
        )
    buffer = ctypes.c_char.from_buffer(memory)
    address = ctypes.addressof(buffer)
    del buffer
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, flags, start, device, inode = line.split()[:5]
            first, last = (int(end, 16) for end in span.split("-"))
            if first <= address < last:
                break
        else:
            raise ValueError("the mmap is not mapped")
    if flags[3] != "s" or int(start, 16) != 0:
        raise ValueError("the mmap is not a shared one from the start of its file")
    major, minor = (int(part, 16) for part in device.split(":"))
    for number in map(int, os.listdir("/proc/self/fd")):
        try:
            found = os.fstat(number)
        except OSError:
            continue
        if found.st_ino == int(inode) and found.st_dev == os.makedev(major, minor):
            return number
    raise ValueError("the mmap has no descriptor: map a memfd or a file of /dev/shm")
