# SPDX-License-Identifier: BSD-3-Clause
"""A user who wants more than his share. Its text is run with `python3 -c` by a user who may not read this directory:

    ATTACK DAEMON'S_SOCKET SESSIONS PROCESSES THREADS

So many sessions, spread over processes, with so many threads in each session. For every line on the standard input it
writes how many calls it has made; at the end of the input it ends.
"""
import ctypes
import mmap
import os
import signal
import socket
import sys
import threading

import numd
import numpy as np

LARGE, SMALL, STEPS = 10**6, 64, 250


def large(session):
    """Calls that are shared out over cores."""
    a = numd.ones(LARGE, session=session)
    return lambda: numd.sin(a, out=a)


def steps(session):
    """Calls of many steps, each too short to be shared out."""
    @numd.function
    def many(a):
        for _ in range(STEPS):
            a = numd.cumulative_sum(a)
        return a

    a = numd.zeros(4096, session=session)
    return lambda: many(a)


def small(session):
    """The shortest calls."""
    a = numd.ones(SMALL, session=session)
    return lambda: numd.add(a, a, out=a)


def shapes(session):
    """Shapes for which no kernel is made: very many, very short loops."""
    tall, thin = numd.ones((LARGE // 4, 3), session=session), numd.ones((3, LARGE // 4, 1), session=session)
    crossed = numd.permute_dims(numd.ones((2, 3, 5, 7, 11, 13), session=session), (5, 3, 1, 4, 2, 0))

    def call():
        numd.sum(tall, axis=1)
        numd.cumulative_sum(thin, axis=2)
        numd.sum(crossed, axis=(1, 3))

    return call


def memory(session):
    """No calls, but questions that the supervisor answers."""
    return lambda: numd.memory(session=session)


def connects(session):
    """No calls, but connections, of which most are refused for the quota of sessions."""
    def call():
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            try:
                s.connect(session.address)  # which keeps the session, too
                s.send(b"?")
            except OSError:
                pass

    return call


ATTACKS = {"large calls": (large, {}),
           "small steps": (steps, {}), "small steps by the socket": (steps, {"door": "socket"}),
           "small calls": (small, {"wait": "spin"}), "small calls by the socket": (small, {"door": "socket"}),
           "odd shapes": (shapes, {}), "memory requests": (memory, {}), "connections": (connects, {}),
           "stopped workers": (large, {})}


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def attack(name, path, n_sessions, n_threads, counts, ready, go):
    make, how = ATTACKS[name]
    die_with_parent()
    calls = [make(numd.connect(path, **how)) for _ in range(n_sessions)]

    def run(k):
        call = calls[k % n_sessions]
        while True:
            call()
            counts[k] += 1

    os.write(ready, b"x")
    os.close(ready)
    os.read(go, 1)
    for k in range(n_sessions * n_threads):
        threading.Thread(target=run, args=(k,), daemon=True).start()
    signal.pause()


def main():
    name, path, n_sessions, n_processes, n_threads = sys.argv[1], sys.argv[2], *map(int, sys.argv[3:6])
    each = n_sessions // n_processes
    die_with_parent()  # again: to become a user ends it
    counts = np.frombuffer(mmap.mmap(-1, 8 * n_sessions * n_threads), dtype=np.int64).reshape(n_processes, -1)
    (wait, ready), (go, begin) = os.pipe(), os.pipe()
    for k in range(n_processes):
        if os.fork() == 0:
            os.close(wait)
            attack(name, path, each, n_threads, counts[k], ready, go)
    os.close(ready)
    for _ in range(n_processes):
        if not os.read(wait, 1):
            sys.exit("a session could not be had")
    try:
        numd.ones(8, session=numd.connect(path))
        sys.exit("the attacker is not at its quota: it got one more session")
    except numd.Error as e:
        assert "quota of sessions" in str(e), e
    os.write(begin, bytes(n_processes))  # not before all have their sessions
    for _ in sys.stdin:
        print(int(counts.sum()), flush=True)


main()
