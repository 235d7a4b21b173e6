# SPDX-License-Identifier: BSD-3-Clause
"""Compiled functions: tracing, results, captured arrays, futures, signals, threads."""

import gc
import pickle
import signal
import threading
import time
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from layouts import DTYPES, laid_out, like_numpy, shapes, values

A = np.linspace(1, 5, 24).reshape(4, 6)


@numd.function
def fused(a, b):
    """Text."""
    return a * b + numd.sqrt(a) - numd.exp(-b)


def slow():
    """A function and an argument that keep the daemon busy for a while."""

    def chain(x):
        for _ in range(40):
            x = numd.exp(numd.sin(x)) - 1
        return x

    return numd.function(chain), numd.full(2_000_000, 0.5)


# ---- Results


def test_function_computes_what_the_body_says():
    a, b = numd.asarray(A), numd.asarray(A[::-1])
    wanted = A * A[::-1] + np.sqrt(A) - np.exp(-A[::-1])
    for _ in range(3):
        np.testing.assert_allclose(np.asarray(fused(a, b)), wanted, rtol=1e-15)
    out = numd.zeros((4, 6))
    assert fused(a, b, out=out) is out
    np.testing.assert_allclose(np.asarray(out), wanted, rtol=1e-15)
    assert fused.__name__ == "fused" and fused.__doc__ == "Text." and "fused" in repr(fused)
    assert pickle.loads(pickle.dumps(fused)) is fused


@given(data=st.data())
def test_any_layout(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    shape = data.draw(shapes(3))
    dtype = data.draw(st.sampled_from(["float32", "float64"]))
    a, b = (values(rng, shape, dtype, special=False, low=0.1, high=3) for _ in range(2))
    got = fused(data.draw(laid_out(a)), data.draw(laid_out(b)))
    assert like_numpy(got, a * b) and got.shape == shape and got.dtype == dtype
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(np.asarray(got), a * b + np.sqrt(a) - np.exp(-b), rtol=1e-5, atol=1e-5)


def test_scalar_results():
    total = numd.function(lambda x: (x * x).sum())
    assert float(total(numd.asarray(A))) == pytest.approx((A * A).sum())
    for array, dtype in [(A, "float64"), ([1, 2], "int64"), (np.ones(3, "float32"), "float32")]:
        got = total(numd.asarray(array))
        assert type(got) is np.dtype(dtype).type and got.shape == ()
    assert bool(numd.function(lambda x: x.max() > 3)(numd.asarray(A))) is True
    out = numd.zeros(())
    assert total(numd.asarray(A), out=out) is out and out.item() == pytest.approx((A * A).sum())


def test_several_results():
    @numd.function
    def moments(x):
        mean = x.mean(axis=0)
        return mean, ((x - mean) * (x - mean)).mean(axis=0), x.sum()

    mean, variance, total = moments(numd.asarray(A))
    np.testing.assert_allclose(np.asarray(mean), A.mean(axis=0))
    np.testing.assert_allclose(np.asarray(variance), A.var(axis=0))
    assert total.shape == () and float(total) == pytest.approx(A.sum())
    mine = numd.zeros(6)
    results = moments(numd.asarray(A), out=(None, mine, None))
    assert results[1] is mine and isinstance(results[0], numd.Array)
    with pytest.raises(ValueError, match="out"):
        moments(numd.asarray(A), out=(mine, mine))


def test_inputs_and_constants_as_results():
    x = numd.asarray(A)
    same, again, captured, constant = numd.function(lambda a: (a, a, x, 3))(x)
    assert same.tolist() == again.tolist() == captured.tolist() == A.tolist() and constant.item() == 3
    same.fill(0)
    assert x.tolist() == A.tolist() == again.tolist()


def test_captured_arrays_are_read_at_each_call():
    weights = numd.ones(6)
    weighted = numd.function(lambda x: x * weights + np.full(6, 0.5))
    np.testing.assert_array_equal(np.asarray(weighted(numd.asarray(A))), A + 0.5)
    weights.fill(2)
    np.testing.assert_array_equal(np.asarray(weighted(numd.asarray(A))), 2 * A + 0.5)


def test_scalar_arguments_are_not_compiled_in():
    calls = []

    @numd.function
    def scaled(x, factor):
        calls.append(1)
        return x * factor

    for factor in [2.0, 3.0, 4.5]:
        assert scaled(numd.asarray(A), factor).tolist() == (A * factor).tolist()
    assert len(calls) == 1
    assert scaled(numd.asarray([1, 2]), 3).dtype == np.int64
    assert scaled(numd.asarray([1, 2]), 0.5).dtype == np.float64
    assert scaled(numd.ones(2, "float32"), 0.5).dtype == np.float32
    assert len(calls) == 4


def test_numpy_functions_and_methods_in_the_body():
    @numd.function
    def mixed(x, m):
        return body(x, m)

    def body(x, m):
        y = np.where(x > 2, np.sqrt(x), np.abs(-x))
        highest = y.max(axis=0, keepdims=True)
        return np.sum(y, axis=-1), highest, np.maximum(y, 1.5).astype("float32"), y @ m, 2 - y

    for got, expected in zip(mixed(numd.asarray(A), numd.asarray(A).T), body(A, A.T)):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(np.asarray(got), expected, rtol=1e-6)


def test_functions_in_functions():
    outer = numd.function(lambda a, b: fused(a, b) * 2 + a.size)
    np.testing.assert_allclose(
        np.asarray(outer(numd.asarray(A), numd.asarray(A))), (A * A + np.sqrt(A) - np.exp(-A)) * 2 + A.size
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_dtypes_as_arguments(dtype):
    array = np.ones((3, 5), dtype)
    got = numd.function(lambda x: x + x)(numd.asarray(array))
    assert got.dtype == array.dtype and got.tolist() == (array + array).tolist()


def test_arguments_that_are_no_arrays():
    np.testing.assert_array_equal(np.asarray(numd.function(lambda a: a + 1)(A)), A + 1)
    assert numd.function(lambda a, b: a + b)(2, 3.5).item() == 5.5


def test_many_signatures():
    f = numd.function(lambda x: x + 1)
    for round in range(2):
        for n in range(300):
            assert f(numd.zeros(n)).shape == (n,)


def test_explain():
    text = fused.explain(numd.asarray(A), numd.asarray(A))
    assert isinstance(text, str) and text.strip()


# ---- What tracing refuses


def branching(x):
    if x.sum() > 1:
        return x
    return -x


@pytest.mark.parametrize(
    "body",
    [
        branching,
        lambda x: float(x),
        lambda x: x[[0]],
        lambda x: [y for y in x],
        lambda x: np.asarray(x),
        lambda x: [1][x],
    ],
)
def test_what_depends_on_values_is_refused_with_its_line(body):
    with pytest.raises(numd.TraceError, match=r"test_function\.py, line \d+"):
        numd.function(body)(numd.asarray(A))


def test_wrong_functions():
    x = numd.asarray(A)
    kept = []
    for body, error in [
        (lambda a: a + numd.ones(5), ValueError),
        (lambda a: a.sum(axis=2), ValueError),
        (lambda a: a @ a, ValueError),
        (lambda a: None, numd.TraceError),
        (lambda a: numd.add(a, a, out=a), TypeError),
        (lambda a: a + "text", TypeError),
        (lambda a: kept.append(a) or a + 1, None),
        (lambda a: a + kept[0], TypeError),
    ]:
        if error is None:
            numd.function(body)(x)
            continue
        with pytest.raises(error):
            numd.function(body)(x)
    with pytest.raises(TypeError):
        fused(x)
    with pytest.raises(TypeError):
        fused(x, x, axis=1)
    with pytest.raises(TypeError):
        numd.function(3)
    with pytest.raises(ValueError):
        fused(x, x, out=numd.zeros(5))


def test_functions_are_collected():
    x = numd.asarray(A)

    class Owner:
        def __init__(self):
            self.function = numd.function(lambda a: a + (0 if self is None else 1))

    owner = Owner()
    owner.function(x)
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


# ---- Futures


def test_futures():
    a = numd.asarray(A)
    futures = [fused.submit(a, numd.full((4, 6), float(i))) for i in range(20)]
    for i, future in enumerate(futures):
        np.testing.assert_allclose(np.asarray(future.result()), A * i + np.sqrt(A) - np.exp(-float(i)))
        assert future.done() and future.result() is future.result()
        assert not future.cancel()
    assert numd.function(lambda x: x.sum()).submit(a).result(timeout=5).item() == pytest.approx(A.sum())


def test_future_timeout():
    f, x = slow()
    out = f(x)
    future = f.submit(x)
    with pytest.raises(TimeoutError):
        future.result(timeout=0)
    with pytest.raises(TimeoutError) as info:
        future.result(timeout=0.002)
    assert info.value.status == "ETIMEOUT"
    np.testing.assert_array_equal(np.asarray(future.result(timeout=60)), np.asarray(out))


def test_future_cancel():
    f, x = slow()
    first, second = f.submit(x), f.submit(x)
    assert second.cancel()
    first.result()
    try:
        second.result()
    except numd.CancelledError as error:
        assert error.status == "ECANCELLED"
    assert f(x).shape == x.shape


def test_futures_keep_their_arrays():
    f, x = slow()
    out = numd.zeros(x.size)
    f.submit(x, out=out)  # nobody keeps the future
    future = f.submit(x.copy())
    del x
    gc.collect()
    noise = [numd.full(2_000_000, 7.0) for _ in range(3)]
    result = future.result()
    np.testing.assert_array_equal(np.asarray(result), np.asarray(out))
    assert noise[0][0].item() == 7.0


def test_one_future_many_threads():
    f, x = slow()
    future = f.submit(x)
    seen = []
    threads = [threading.Thread(target=lambda: seen.append(future.result())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 4 and all(item is seen[0] for item in seen)


# ---- Threads and signals


def test_waiting_lets_other_threads_run():
    f, x = slow()
    f(x)
    running, ticks = True, 0

    def count():
        nonlocal ticks
        while running:
            ticks += 1
            time.sleep(0.0005)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = ticks
        f(x)
        assert ticks - before >= 3
    finally:
        running = False
        thread.join()


def test_signals_interrupt_a_wait():
    f, x = slow()
    f(x)

    def handler(number, frame):
        raise InterruptedError("by a signal")

    previous = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(InterruptedError):
            signal.setitimer(signal.ITIMER_REAL, 0.02)
            for _ in range(50):
                f(x)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert numd.sum(numd.ones(10)) == 10


def test_eight_threads():
    failures = []

    def work(seed):
        try:
            array = np.random.default_rng(seed).uniform(1, 2, 64)
            a, b, out = numd.asarray(array), numd.asarray(array[::-1].copy()), numd.empty(64)
            wanted = array * array[::-1] + np.sqrt(array) - np.exp(-array[::-1])
            for _ in range(500):
                numd.add(a, b, out=out)
                assert np.array_equal(np.asarray(out), array + array[::-1])
                assert abs(a.sum() - array.sum()) < 1e-12
                assert np.allclose(np.asarray(fused(a, b)), wanted)
                assert (a[::2] * 2).tolist() == (array[::2] * 2).tolist()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
