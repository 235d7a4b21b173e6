# SPDX-License-Identifier: BSD-3-Clause
"""numd.Executor: Python functions in worker processes that share arrays."""

import concurrent.futures
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest

import numd


def add_in_place(array, value):
    array += value
    return os.getpid()


def kinds(*args, **kwargs):
    return [type(a).__name__ for a in args], {k: type(v).__name__ for k, v in kwargs.items()}


def numpy_results(n):
    return np.arange(n), {"mean": (np.ones(n), [np.zeros(n)])}, np.array(["text"])


def set_mark(value):
    global mark
    mark = value


def get_mark(_):
    return mark, numd.default_session().address


def square(array, factor):
    return array * array * factor


def end(array):
    os.kill(os.getpid(), signal.SIGKILL)


def fail():
    raise LookupError("of the function")


@pytest.fixture(scope="module")
def executor():
    with numd.Executor(2) as executor:
        yield executor


@pytest.mark.parametrize("method", ["forkserver", "spawn", "fork"])
def test_workers_write_to_the_caller_s_memory(method):
    array = numd.zeros((4, 1000))
    with numd.Executor(2, start_method=method) as executor:
        pids = {f.result() for f in [executor.submit(add_in_place, array[i], i + 1) for i in range(4)]}
    assert os.getpid() not in pids
    assert array.sum(axis=1).tolist() == [1000.0, 2000.0, 3000.0, 4000.0]


def test_ndarrays_are_shared_in_both_ways(executor):
    assert executor.submit(kinds, np.zeros(2), 1, key=np.ones(3)).result() == (["Array", "int"], {"key": "Array"})
    first, second, text = executor.submit(numpy_results, 5).result()
    assert isinstance(first, numd.Array) and first.tolist() == [0, 1, 2, 3, 4] and first.dtype == np.int64
    assert isinstance(second["mean"][0], numd.Array) and isinstance(second["mean"][1][0], numd.Array)
    assert type(text) is np.ndarray  # numd has no such dtype


def test_map(executor):
    arrays = [numd.full(10, float(i)) for i in range(20)]
    results = list(executor.map(square, arrays, range(20), chunksize=3))
    assert [float(r[0]) for r in results] == [float(i**3) for i in range(20)]


def test_it_is_an_executor_of_the_standard_library(executor):
    assert isinstance(executor, concurrent.futures.Executor)
    future = executor.submit(fail)
    assert isinstance(future, concurrent.futures.Future)
    with pytest.raises(LookupError, match="of the function"):
        future.result()


def test_initializer_and_session(other_address):
    with numd.connect(other_address, start=False) as session:
        with numd.Executor(1, initializer=set_mark, initargs=(7,), session=session) as executor:
            assert executor.submit(get_mark, 0).result() == (7, other_address)
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(get_mark, 0)
    with pytest.raises(TypeError, match="initializer"):
        numd.Executor(1, initializer=3)
    with pytest.raises(ValueError, match="start method|context"):
        numd.Executor(1, start_method="thread")


def test_a_worker_that_dies_breaks_the_pool_and_leaves_nothing():
    array = numd.ones(3_000_000)
    executor = numd.Executor(2)
    pids = {executor.submit(add_in_place, array, 0).result()}
    with pytest.raises(BrokenProcessPool):
        executor.submit(end, array).result()
    with pytest.raises(BrokenProcessPool):
        executor.submit(add_in_place, array, 1)
    pids |= set(executor._processes or {})
    executor.shutdown()
    for _ in range(3000):
        if not pids & {h["pid"] for s in numd.memory() for h in s["holders"]}:
            break
        time.sleep(0.01)
    else:
        pytest.fail("a dead worker holds memory")
    assert float(array.sum()) == 3_000_000
