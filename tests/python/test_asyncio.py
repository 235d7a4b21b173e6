# SPDX-License-Identifier: BSD-3-Clause
"""Functions and futures in asyncio, and callbacks of futures."""

import asyncio
import os
import pathlib
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest

import numd

A = np.linspace(0.5, 2, 1000)


@numd.function
def scaled(x, k):
    return numd.exp(x) * k


@numd.function
def slow(x):
    for _ in range(40):
        x = numd.exp(numd.sin(x)) - 1
    return x


def large():
    return numd.full(2_000_000, 0.5)


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_call_is_awaited():
    async def main():
        x, out = numd.asarray(A), numd.zeros(A.size)
        np.testing.assert_allclose(np.asarray(await scaled.async_(x, 2.0)), np.exp(A) * 2, rtol=1e-14)
        assert await scaled.async_(x, k=3.0, out=out) is out
        np.testing.assert_allclose(np.asarray(out), np.exp(A) * 3, rtol=1e-14)
        future = scaled.submit(x, 4.0)
        assert await future is await future is future.result()
        with pytest.raises(ValueError):
            await scaled.async_(x, numd.ones(3))

    asyncio.run(main())


def test_many_calls_at_once():
    async def main():
        x = large()
        fd = slow.submit(x)._notify()
        assert isinstance(fd, int)  # no thread waits instead
        numd.Future._notify_off(fd)
        results = await asyncio.gather(*(scaled.async_(x[i:], float(i)) for i in range(100)))
        for i, result in enumerate(results):
            assert result.shape == (x.size - i,)
            np.testing.assert_allclose(np.asarray(result[:3]), np.exp(np.asarray(x[:3])) * i, rtol=1e-14)

    asyncio.run(main())


def test_the_loop_goes_on_meanwhile_and_sleeps():
    async def main():
        x, ticks = large(), 0
        await slow.async_(x)

        async def count():
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0.001)

        counter = asyncio.create_task(count())
        used = time.thread_time()
        await asyncio.gather(*(slow.async_(x) for _ in range(5)))
        used = time.thread_time() - used
        counter.cancel()
        assert ticks >= 5
        return used, ticks

    used, ticks = asyncio.run(main())
    assert used < 0.01 * ticks + 0.5  # a loop that turns without end would use all of the time


def test_synchronous_calls_between_awaits():
    async def main():
        x = numd.asarray(A)
        tasks = [asyncio.create_task(scaled.async_(x, float(i))) for i in range(30)]
        await asyncio.sleep(0)
        for i in range(30):
            assert float(numd.sum(x[: i + 1] * 0 + 1)) == i + 1
        for i, task in enumerate(tasks):
            np.testing.assert_allclose(np.asarray(await task), np.exp(A) * i, rtol=1e-14)

    asyncio.run(main())


def test_loops_one_after_another_leave_nothing():
    async def main():
        x = numd.asarray(A)
        await asyncio.gather(*(scaled.async_(x, 2.0) for _ in range(5)))

    asyncio.run(main())
    before = descriptors()
    for _ in range(5):
        asyncio.run(main())
    assert descriptors() == before


def test_two_loops_in_turn_in_one_thread():
    x, small = large(), numd.asarray(A)
    first, second = asyncio.new_event_loop(), asyncio.new_event_loop()
    try:
        task = first.create_task(slow.async_(x))
        first.run_until_complete(asyncio.sleep(0))  # it waits now
        got = second.run_until_complete(asyncio.wait_for(scaled.async_(small, 2.0), 60))
        np.testing.assert_allclose(np.asarray(got), np.exp(A) * 2)
        assert first.run_until_complete(asyncio.wait_for(task, 60)).shape == x.shape
    finally:
        first.close()
        second.close()


def test_a_loop_in_each_of_several_threads():
    failures = []

    async def main(k):
        x = numd.asarray(A)
        for _ in range(20):
            got = await asyncio.gather(*(scaled.async_(x, float(k + i)) for i in range(4)))
            for i, each in enumerate(got):
                np.testing.assert_allclose(np.asarray(each), np.exp(A) * (k + i), rtol=1e-14)

    def work(k):
        try:
            asyncio.run(main(k))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


def test_a_future_of_another_thread():
    async def main():
        x = large()
        slow(x)
        futures = await asyncio.to_thread(lambda: [slow.submit(x) for _ in range(3)])
        for got in await asyncio.gather(*futures):
            assert got.shape == x.shape

    asyncio.run(main())


def test_cancelling_a_task_cancels_the_call():
    async def main():
        x = large()
        await slow.async_(x)
        futures = [slow.submit(x) for _ in range(5)]

        async def wait(future):
            return await future

        tasks = [asyncio.create_task(wait(future)) for future in futures]
        await asyncio.sleep(0)
        for task in tasks[1:]:
            task.cancel()
        assert (await tasks[0]).shape == x.shape
        for task in tasks[1:]:
            with pytest.raises(asyncio.CancelledError):
                await task
        with pytest.raises(numd.CancelledError):
            await futures[-1]
        assert futures[-1].cancelled() and not futures[0].cancelled()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(slow.async_(x) for _ in range(20))), 0.001)
        return (await scaled.async_(numd.asarray(A), 1.0)).shape

    assert asyncio.run(main()) == A.shape


def test_through_the_socket_door():
    async def main(x):
        return await asyncio.gather(*(scaled.async_(x, float(k)) for k in range(5)))

    session = numd.connect(os.environ["NUMD_SOCKET"], door="socket")
    got = asyncio.run(main(numd.asarray(A, session=session)))
    for k, each in enumerate(got):
        np.testing.assert_allclose(np.asarray(each), np.exp(A) * k, rtol=1e-14)


CHILD = """
    import asyncio, os, signal, sys
    import numd

    @numd.function
    def slow(x):
        for _ in range(40):
            x = numd.exp(numd.sin(x)) - 1
        return x

    async def main():
        x = numd.full(2_000_000, 0.5)
        await slow.async_(x)
        tasks = [asyncio.create_task(slow.async_(x)) for _ in range(50)]
        await asyncio.sleep(0)
        for session in numd.stats()["sessions"]:
            if session["client_pid"] == os.getpid():
                os.kill(session["pid"], signal.SIGKILL)
        failed = await asyncio.gather(*tasks, return_exceptions=True)
        assert any(isinstance(each, numd.DisconnectedError) for each in failed), failed
        assert isinstance(failed[-1], numd.DisconnectedError), failed[-1]
        print("done", float(numd.sum(await slow.async_(x))) > -1e9)

    asyncio.run(main())
"""


def test_a_worker_that_dies_fails_the_awaits():
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD)],
        env={**os.environ, "PYTHONPATH": str(pathlib.Path(numd.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "done"


# ---- As a future of concurrent.futures


def test_callbacks():
    x, seen, called = large(), [], threading.Event()
    slow(x)
    future = slow.submit(x)

    def broken(_):
        raise ValueError("ignored")

    future.add_done_callback(broken)
    future.add_done_callback(lambda f: (seen.append(f), called.set()))
    assert called.wait(60) and seen == [future]
    assert future.done() and not future.running() and future.exception() is None
    future.add_done_callback(seen.append)  # at once
    assert seen == [future, future]


def test_exceptions_of_futures():
    x = large()
    slow(x)
    first, last = slow.submit(x), slow.submit(x)
    assert first.running()
    assert last.cancel()
    error = last.exception()
    assert isinstance(error, numd.CancelledError) and last.cancelled()
    with pytest.raises(numd.CancelledError):
        last.result()
    with pytest.raises(TimeoutError):
        slow.submit(x).exception(timeout=0)
    assert first.exception() is None


def test_signals_do_not_disturb_a_loop():
    async def main():
        x, heard = large(), []
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, heard.append, 1)
        tasks = [asyncio.create_task(slow.async_(x)) for _ in range(4)]
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGUSR1)
        await asyncio.gather(*tasks)
        return heard

    assert asyncio.run(main()) == [1]


def test_callbacks_in_a_forked_child():
    x, called = large(), threading.Event()
    slow.submit(x).add_done_callback(lambda future: called.set())  # starts the thread that calls back
    assert called.wait(60)
    child = os.fork()
    if child == 0:
        called = threading.Event()
        numd.function(lambda y: numd.exp(y)).submit(numd.ones(2_000_000)).add_done_callback(lambda future: called.set())
        os._exit(0 if called.wait(60) else 1)
    assert os.waitpid(child, 0)[1] == 0
