# SPDX-License-Identifier: BSD-3-Clause
"""Arrays between processes: handles travel, the memory is the same, everybody computes."""

import concurrent.futures
import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest

import numd

METHODS = ["fork", "spawn", "forkserver"]


def double(array, row):
    numd.multiply(array[row], 2, out=array[row])
    return array[row].sum()


def double_and_send(array, row, pipe):
    pipe.send(double(array, row))
    pipe.close()


def make_and_send(address, pipe):
    array = numd.full((3, 4), 5.0)
    assert array.sum() == 60
    pipe.send(array)
    pipe.recv()  # until the parent has it


def check_address(array, pipe):
    array += 1
    pipe.send(numd.default_session().address)


@numd.function
def total(array):
    return (array * array).sum()


def run(method, function, *args):
    """Calls the function in a child with the end of a pipe as its last argument; gives what it sends."""
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=function, args=(*args, theirs))
    child.start()
    theirs.close()
    try:
        assert ours.poll(60), "no answer"
        answer = ours.recv()
        ours.close()
    finally:
        child.join(60)
    assert child.exitcode == 0
    return answer


@pytest.mark.parametrize("method", METHODS)
def test_child_computes_on_the_same_memory(method):
    array = numd.asarray(np.arange(12.0).reshape(3, 4))
    for row in range(3):
        assert run(method, double_and_send, array, row) == 2 * sum(range(4 * row, 4 * row + 4))
    assert array.tolist() == (2 * np.arange(12.0).reshape(3, 4)).tolist()
    assert total(array) == (2 * np.arange(12.0) ** 2 * 2).sum()


@pytest.mark.parametrize("method", METHODS)
def test_pool(method):
    array = numd.ones((8, 100))
    view = array[:, ::-2]
    with multiprocessing.get_context(method).Pool(2) as pool:
        sums = pool.starmap(double, [(view, row) for row in range(8)])
        assert sums == [100.0] * 8
        assert pool.map(total, [array[row] for row in range(8)]) == [250.0] * 8
    assert array.sum() == 8 * 150


@pytest.mark.parametrize("method", METHODS)
def test_array_of_a_child(method):
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe()
    child = context.Process(target=make_and_send, args=(os.environ["NUMD_SOCKET"], theirs))
    child.start()
    array = ours.recv()
    ours.send("done")
    child.join(60)
    assert child.exitcode == 0
    array += 1  # the memory outlives its maker
    assert array.sum() == 72


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_child_finds_the_daemon_of_the_array(method, other_address):
    with numd.connect(other_address, start=False) as session:
        array = numd.zeros(3, session=session)
        address = run(method, check_address, array)
        assert array.tolist() == [1.0, 1.0, 1.0]
    assert address == (other_address if method == "spawn" else numd.default_session().address)


def test_forked_child_goes_on_with_what_it_inherited():
    array, total_before = numd.asarray(np.arange(100.0)), total(numd.ones(5))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            array += 1
            assert array.sum() == 4950 + 100 and total(numd.ones(5)) == total_before
            assert numd.ones((10, 10)).sum() == 100
            assert pickle.loads(pickle.dumps(array)).sum() == array.sum()
            code = 0
        finally:
            os._exit(code)
    assert numd.sum(numd.ones(1000)) == 1000  # the parent goes on beside it
    assert os.waitpid(child, 0)[1] == 0
    assert array.sum() == 5050


def test_fork_while_threads_compute():
    stop = threading.Event()
    failures = []

    def work():
        a = numd.ones(64)
        try:
            while not stop.is_set():
                assert (a + a).sum() == 128
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    shared = numd.zeros(10)
    for _ in range(5):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                numd.add(shared, 1, out=shared)
                code = 0
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures and shared.tolist() == [5.0] * 10


def test_futures_stay_with_the_parent():
    future = total.submit(numd.ones(2_000_000))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            future.result()
        except RuntimeError:
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    assert future.result() == 2_000_000
    assert status == 0


def test_program_that_ends_at_once_leaves_nothing():
    """A process that ends in the middle of everything ends quietly."""
    code = """
import numd
f = numd.function(lambda x: x + 1)
x = numd.ones(100000)
f.submit(x)
kept = f.submit(x)
a = x + 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr == ""


def move(first, array, last):
    """Writes to the ends of an array and tells where they lie: what a copy would not show to the other side."""
    assert float(array[0]) == first
    array[-1] = last
    return array


@pytest.mark.parametrize("method", METHODS)
def test_a_gigabyte_moves_as_a_handle(method):
    array = numd.zeros(2**27)  # pages exist once they are written
    array[0] = 3.0
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        text = pickle.dumps(array, protocol)
        assert len(text) < 600 < array.nbytes / 10**6
        assert pickle.loads(text).shape == array.shape
    with multiprocessing.get_context(method).Pool(1) as pool:
        back = pool.apply(move, (3.0, array, 4.0))
        assert float(array[-1]) == 4.0
        back[1] = 5.0
        assert float(array[1]) == 5.0 and back.nbytes == 2**30
        used = sum(s["used"] for s in numd.memory() if s["bytes"] == 2**30)
        assert used < 2**26  # nobody touched the rest


def test_copies():
    array = numd.asarray(np.arange(5))
    for made in [copy.copy(array), copy.deepcopy(array), copy.deepcopy([array])[0]]:
        made += 1
        assert array.tolist() == [0, 1, 2, 3, 4] and made.tolist() == [1, 2, 3, 4, 5]


def sum_later(pickled, inherited, pipe):
    pipe.recv()
    pipe.send((float(inherited.sum()), float(pickle.loads(pickled).sum())))
    pipe.close()


def test_forked_child_keeps_what_its_parent_dropped():
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    pickled = pickle.dumps(numd.full(100, 3.0))
    child = context.Process(target=sum_later, args=(pickled, numd.full(100, 3.0), theirs))
    child.start()  # from now on it alone holds the array
    others = [numd.full(100, 9.0) for _ in range(200)]
    ours.send("go on")
    assert ours.recv() == (300.0, 300.0) and len(others) == 200
    child.join(60)
    assert child.exitcode == 0


def test_memory_is_used_again_once_the_forked_child_ended():
    before = numd.memory().of(os.getpid()).bytes
    for _ in range(150):
        array = numd.zeros(50_000)
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        del array
    assert numd.memory().of(os.getpid()).bytes - before <= 64 * 2**20


def add_one(queue, results):
    while (array := queue.get()) is not None:
        array += 1
        results.put(array)


@pytest.mark.parametrize("method", METHODS)
def test_queues(method):
    context = multiprocessing.get_context(method)
    queue, results = context.Queue(), context.Queue()
    child = context.Process(target=add_one, args=(queue, results))
    child.start()
    for i in range(20):
        queue.put(numd.full(100, float(i)))  # nobody but the handle holds it
    queue.put(None)
    assert sorted(float(results.get(timeout=60).sum()) for _ in range(20)) == [100.0 * (i + 1) for i in range(20)]
    child.join(60)
    assert child.exitcode == 0


@pytest.mark.parametrize("method", METHODS)
def test_process_pool_executor(method):
    array = numd.ones((8, 100))
    context = multiprocessing.get_context(method)
    with concurrent.futures.ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(double, [array] * 8, range(8))) == [200.0] * 8
    assert array.sum() == 1600


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_joblib(backend):
    joblib = pytest.importorskip("joblib")
    array = numd.ones((8, 100))
    sums = joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(double)(array, row) for row in range(8))
    assert sums == [200.0] * 8 and array.sum() == 1600
