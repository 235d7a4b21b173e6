# SPDX-License-Identifier: BSD-3-Clause
"""`python -m numd`: what is installed, and how the daemon is.

Exit status: 0 if a daemon answers, 1 if none does, 2 for a wrong command line. No daemon is started.
"""

import argparse
import os
import platform
import sys

import numpy as np

import numd

from ._display import size


def count(n, noun):
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def free(owners, noun):
    return f"{sum(owner is None for owner in owners)} of {count(len(owners), noun)} free"


def gears(daemon):
    if daemon["spin_tokens"]:
        return "spin with a token, hand-off, sleep"
    return "hand-off, sleep; spinning wants two cores"


def memory_limit():
    """Bytes of memory that processes here may have: the control group's, or the machine's."""
    limits = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path, encoding="ascii") as file:
                limits.append(int(file.read()))
        except (OSError, ValueError):  # there is no such group, or its limit is "max"
            pass
    return min(limits)


def shm():
    try:
        disk = os.statvfs("/dev/shm")
    except OSError as error:
        return f"there is none ({error.strerror}); only arrays of numd's own can be used"
    return f"{size(disk.f_bavail * disk.f_frsize)} free of {size(disk.f_blocks * disk.f_frsize)}"


def installed():
    yield "numd", f"{numd.__version__} in {os.path.dirname(numd.__file__)}"
    yield "Python", f"{platform.python_version()}, NumPy {np.__version__}"
    yield "limits", f"memory {size(memory_limit())}; /dev/shm, for objects of others, {shm()}"


def running(session):
    stats, memory = session.stats(), numd.memory(session=session)
    daemon = stats["daemon"]
    seconds = daemon["uptime_ns"] // 10**9
    others = [s for s in stats["sessions"] if s["client_pid"] != os.getpid()]
    calls = sum(s["calls_ring"] + s["calls_socket"] for s in others)
    yield "daemon", f"{daemon['version']}, process {daemon['pid']}, at {session.address}"
    yield "up", f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    yield "cores", f"{free(stats['core_owners'], 'core')}, {free(stats['spin_owners'], 'spin token')}"
    yield "gears", gears(daemon)
    yield "sessions", f"{len(others)} beside this one, {count(calls, 'call')} so far in these"
    yield "memory", f"{count(len(memory), 'segment')}, {size(memory.bytes)}, of which {size(memory.used)} are used"
    if daemon["version"] != numd.__version__:
        yield "", f"The daemon is not of this version: end process {daemon['pid']} to have it replaced."


def main():
    parser = argparse.ArgumentParser(prog="python -m numd", description="What is installed, and how the daemon is.")
    socket = "the daemon's socket; otherwise $NUMD_SOCKET or the user's own"
    parser.add_argument("--socket", metavar="PATH", help=socket)
    parser.add_argument("--version", action="version", version=f"numd {numd.__version__}")
    address = parser.parse_args().socket
    for name, text in installed():
        print(f"{name:10}{text}")
    try:
        session = numd.connect(address, start=False, door="socket")
        report = list(running(session))
    except numd.DisconnectedError as error:
        print(f"daemon    {error}")
        print("          A program that uses numd starts one by itself, which ends after its last client.")
        return 1
    for name, text in report:
        print(f"{name:10}{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
