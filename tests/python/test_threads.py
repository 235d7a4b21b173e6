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
