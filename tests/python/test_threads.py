# SPDX-License-Identifier: BSD-3-Clause
"""Many threads of one process: each has a channel of its own, and results are theirs."""

import pickle
import random
import threading

import numpy as np

import numd

ROUNDS = 150
THREADS = 8


@numd.function
def polynomial(x, y):
    return x * x + 3 * y


def work(seed, failures, shared):
    """Makes and drops arrays, calls operations, functions and futures, pickles; checks each result."""
    choose = random.Random(seed)
    kept = []
    try:
        for i in range(ROUNDS):
            n = choose.choice([1, 7, 64, 1000, 20_000, 600_000 if i % 50 == 0 else 100])
            a, b = numd.full(n, float(seed)), numd.full(n, float(i))
            expected = seed * seed + 3.0 * i
            future = polynomial.submit(a, b)
            assert np.all(np.asarray(polynomial(a, b)) == expected), "function"
            assert np.all(np.asarray(a + b) == seed + i), "operator"
            assert np.all(np.asarray(future.result()) == expected), "future"
            if i % 10 == 0:
                same = pickle.loads(pickle.dumps(a))
                same += 1
                assert float(a[0]) == seed + 1, "pickle"
            kept.append(numd.add(b, 1))
            if len(kept) > 10:
                old = kept.pop(choose.randrange(len(kept)))
                assert float(old[0]) == float(old[-1]), "kept"
            numd.add(shared[seed], 1, out=shared[seed])
    except BaseException as error:
        failures.append((seed, error))


def test_threads_do_everything_at_once():
    failures, shared = [], numd.zeros((THREADS, 500))
    threads = [threading.Thread(target=work, args=(i, failures, shared)) for i in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(300)
    assert not any(thread.is_alive() for thread in threads) and not failures
    assert np.all(np.asarray(shared) == ROUNDS)


def test_other_threads_run_while_one_waits():
    """One thread waits for a long product; others count meanwhile, which needs the GIL."""
    square = numd.ones((1500, 1500))
    count, done = 0, threading.Event()
    started = threading.Event()

    def wait():
        started.set()
        numd.matmul(square, square)
        done.set()

    thread = threading.Thread(target=wait)
    thread.start()
    started.wait()
    while not done.is_set():
        count += 1
    thread.join()
    assert count > 100


def test_channels_of_threads_that_ended_are_used_again():
    def channels():
        import os

        return sum(s["channels"] for s in numd.stats()["sessions"] if s["client_pid"] == os.getpid())

    def call():
        assert float(numd.ones(10).sum()) == 10

    for _ in range(3):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    before = channels()
    for _ in range(50):
        thread = threading.Thread(target=call)
        thread.start()
        thread.join()
    assert channels() == before


def in_threads(*functions):
    """Runs all of them at once, each in a thread; raises the first of their exceptions."""
    failures, start = [], threading.Barrier(len(functions))

    def run(function):
        start.wait()
        try:
            function()
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(function,)) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for failure in failures:
        raise failure


def test_threads_trace_one_function_at_once():
    """All need the same new plans at the same time, and more of them than a function keeps."""

    @numd.function
    def shifted(x, by):
        return x + by

    def call():
        for n in range(1, 300):
            assert np.all(np.asarray(shifted(numd.full(n, 2.0), 1.0)) == 3)
            assert shifted(numd.full(n, 2.0), by=n).shape == (n,)

    in_threads(*[call] * 4)


def test_threads_ask_one_future():
    a = numd.ones(300_000)
    for _ in range(20):
        future = polynomial.submit(a, a)

        def ask():
            while not future.done():
                assert repr(future) in ("<numd.Future, running>", "<numd.Future, done>")
            assert float(future.result()[-1]) == 4 and future.exception() is None

        def wait():
            assert float(future.result()[0]) == 4
            assert not future.cancelled() and not future.cancel()

        in_threads(ask, wait, wait, ask)


def test_futures_that_nobody_waits_for():
    """Each is left to a later submission of any thread."""
    a = numd.ones(5000)

    def submit():
        for _ in range(200):
            polynomial.submit(a, a)
        assert float(polynomial.submit(a, a).result()[0]) == 4

    in_threads(*[submit] * 4)


def test_a_session_is_closed_while_others_use_it():
    sessions = [numd.connect() for _ in range(5)]
    used = []

    def use():
        for session in sessions:
            try:
                while True:
                    a = numd.full(100, 3.0, session=session)
                    assert float((a + a).sum()) == 600
                    assert session.address and numd.asarray([1.0], session=session).size == 1
                    used.append(session)
            except ValueError as error:
                assert str(error) == "the session is closed"

    def close():
        for session in sessions:
            while used.count(session) < 20:
                pass
            session.close()
            assert session.closed

    in_threads(use, use, use, close)
