# SPDX-License-Identifier: BSD-3-Clause
"""An element, and a result without dimensions, is a value: one of NumPy's scalars, and no view."""

import collections
import datetime
import decimal
import fractions
import json
import numbers
import operator
import pickle
import random
import sqlite3
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from examples import examples
from layouts import DTYPES, laid_out, shapes, values

X = np.array([3.0, 1.0, 5.0, 2.0])


def both(x=X):
    return numd.asarray(x), x.copy()


# ---- What gives values


@pytest.mark.parametrize("dtype", DTYPES)
def test_elements_of_every_dtype(dtype):
    plain = values(np.random.default_rng(3), (2, 3), dtype, special=False, low=1, high=100)
    ours = numd.asarray(plain)
    for i in range(2):
        for got, wanted in zip(ours[i], plain[i], strict=True):
            assert type(got) is type(wanted) and got == wanted
        assert type(ours[i, 1]) is type(plain[i, 1]) and ours[i, -2] == plain[i, 1] and ours[i][1] == plain[i][1]
    assert (ours == ours)[0, 0] is np.True_ and (ours != ours)[0, 0] is np.False_


OF_AN_ARRAY = {
    "method": lambda a: a.sum(), "keyword": lambda a: a.mean(axis=0), "argument": lambda a: a.argmax(), "ddof": lambda a: a.std(ddof=1),
    "clip": lambda a: a[0, ...].clip(0, 2), "function": lambda a: np.sum(a), "median": lambda a: np.median(a), "norm": lambda a: np.linalg.norm(a),
    "product": lambda a: a @ a, "dot": lambda a: np.dot(a, a), "einsum": lambda a: np.einsum("i,i", a, a), "ufunc": lambda a: np.exp(a[0, ...]),
    "reduce": lambda a: np.maximum.reduce(a), "operator": lambda a: a[0, ...] + 1, "reflected": lambda a: 1 - a[0, ...], "unary": lambda a: -a[0, ...],
    "compare": lambda a: a[0, ...] < 7, "power": lambda a: a[0, ...] ** 2, "abs": lambda a: abs(a[0, ...]), "index": lambda a: a[np.array(1)],
    "empty key": lambda a: a[1, ...][()], "all": lambda a: np.all(a > 0), "searchsorted": lambda a: np.searchsorted(a, 3.0),
    "several": lambda a: np.divmod(a[0, ...], 2)[1], "slogdet": lambda a: np.linalg.slogdet(np.outer(a, a) + np.eye(4))[1],
    "take": lambda a: np.take(a, 2), "count": lambda a: np.ptp(a), "trace": lambda a: np.trace(np.outer(a, a)),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_AN_ARRAY)
def test_results_without_dimensions(name):
    ours, plain = both()
    got, wanted = OF_AN_ARRAY[name](ours), OF_AN_ARRAY[name](plain)
    assert type(got) is type(wanted)
    assert got == pytest.approx(wanted)


ARRAYS = {
    "ellipsis": lambda a: a[1, ...], "whole": lambda a: a[1, ...][...], "reshape": lambda a: a[:1].reshape(()), "squeeze": lambda a: np.squeeze(a[:1]),
    "method": lambda a: a[:1].squeeze(), "broadcast": lambda a: np.broadcast_to(a[1, ...], ()), "copy": lambda a: a[1, ...].copy(),
    "astype": lambda a: a[1, ...].astype("float32"), "where": lambda a: np.where(a[1, ...], 1.0, 2.0), "like": lambda a: np.zeros_like(a[1, ...]),
    "tensordot": lambda a: np.tensordot(a, a, 1), "transpose": lambda a: np.transpose(a[1, ...]), "cov": lambda a: np.cov(a),
}  # fmt: skip


@pytest.mark.parametrize("name", ARRAYS)
def test_what_stays_an_array(name):
    ours, plain = both()
    got, wanted = ARRAYS[name](ours), ARRAYS[name](plain)
    assert isinstance(wanted, np.ndarray) and isinstance(got, numd.Array) and got.shape == ()
    assert got.dtype == wanted.dtype and got.item() == pytest.approx(wanted.item())


def test_out_is_what_was_given():
    a, out = numd.asarray(X), numd.zeros(())
    for got in [np.sum(a, out=out), a.sum(out=out), np.add.reduce(a, out=out), np.add(a[0, ...], 1, out=out), np.median(a, out=out)]:
        assert got is out


def test_functions_of_the_namespace_give_arrays_and_so_do_operators_on_these():
    a = numd.asarray(X)
    total = numd.sum(a)
    for one in [total, total * 2, 1 - total, -total, total + total, total > 3, abs(total)]:
        assert isinstance(one, numd.Array) and one.shape == () and one.__array_namespace__() is numd
    kept = total
    total *= 0.5
    assert float(kept) == X.sum() and float(total) == X.sum() / 2


def test_compiled_functions_and_futures_give_values():
    ours, plain = both()
    total = numd.function(lambda x: (x * 2).sum())
    pair = numd.function(lambda x: (x.max(), x + 1))
    tree = numd.function(lambda x: {"mean": x.mean(), "all": x})
    assert type(total(ours)) is np.float64 and total(ours) == 2 * plain.sum()
    assert type(total.submit(ours).result()) is np.float64
    greatest, more = pair(ours)
    assert type(greatest) is np.float64 and isinstance(more, numd.Array)
    assert type(tree(ours)["mean"]) is np.float64
    out = numd.zeros(())
    assert total(ours, out=out) is out and out.item() == 2 * plain.sum()
    scaled = numd.function(lambda x, by: x * by)
    assert scaled(ours, ours[0]).tolist() == (plain * plain[0]).tolist()


# ---- What programs do with them


def test_programs_that_move_elements():
    a, x = both()
    for y in (a, x):
        y[0], y[2] = y[2], y[0]
        best, y[3] = y[0], 0
        sum_ = y[0]
        for v in y[1:]:
            sum_ += v
            v *= 2
        y[1] = best + sum_
    assert a.tolist() == x.tolist()


def quicksorted(a):
    if len(a) > 1:
        at, last = 0, len(a) - 1
        for i in range(last):
            if a[i] < a[last]:
                a[i], a[at], at = a[at], a[i], at + 1
        a[at], a[last] = a[last], a[at]
        quicksorted(a[:at])
        quicksorted(a[at + 1 :])


@examples(20)
@given(st.lists(st.integers(-9, 9), max_size=12))
def test_sorting_in_place(items):
    a = numd.asarray(np.array(items, "int64"))
    quicksorted(a)
    assert a.tolist() == sorted(items)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shuffle", [random.shuffle, np.random.shuffle, np.random.default_rng(0).shuffle])
def test_shuffles(shuffle):
    a = numd.asarray(np.arange(20))
    shuffle(a)
    assert sorted(a.tolist()) == list(range(20))


def test_a_running_result_changes_nothing_that_was_kept():
    a = numd.asarray(X)
    loss, history = a.sum(), []
    for _ in range(3):
        history.append(loss)
        loss *= 0.5
    greatest = a.max()
    start = greatest
    greatest += 1
    assert history == [11.0, 5.5, 2.75] and greatest - start == 1


def test_they_are_numbers_to_python_and_its_libraries():
    a = numd.asarray(X)
    n = numd.asarray([1, 1, 2])
    v, i = a[0], n[2]
    assert collections.Counter(n) == {1: 2, 2: 1} and {1: "a"}[n[0]] == "a" and len(set(n)) == 2
    assert json.dumps(a.mean()) == "2.75" and statistics.mean(a) == 2.75 and sum(a) == 11 and max(a) == 5 and sorted(a) == [1, 2, 3, 5]
    assert decimal.Decimal(v) == 3 and datetime.timedelta(seconds=v).seconds == 3 and fractions.Fraction(v) == 3
    assert isinstance(v, float) and isinstance(v, numbers.Real) and isinstance(i, numbers.Integral) and hash(v) == hash(3.0)
    assert [7, 8] * i == [7, 8, 7, 8] and "abc"[i] == "c" and operator.index(i) == 2 and list(range(i)) == [0, 1]
    assert f"{v:.2f} {i:03d} {v}" == "3.00 002 3.0" and "%d %.1f" % (i, v) == "2 3.0" and round(v, 1) == 3.0
    assert pickle.loads(pickle.dumps(v)) == 3.0 and type(pickle.loads(pickle.dumps(a[1]))) is np.float64
    with sqlite3.connect(":memory:") as base:
        assert base.execute("select ?", (v,)).fetchone() == (3.0,)
    base.close()


def test_scalars_are_strong_beside_arrays_as_numpys_are():
    for dtype in DTYPES:
        for other in DTYPES:
            a, s = numd.ones(2, dtype), numd.ones(1, other)[0]
            wanted = numd.result_type(dtype, other)
            assert (a + s).dtype == wanted and (s + a).dtype == wanted and (a + s).tolist()[0] == (2 if wanted != bool else True)


# ---- Assignment to an element

NUMBERS = [
    0, 1, -1, 2.5, -0.0, True, False, 300, -300, 70000, 2**31, 2**40, -(2**40), 2**63, 2**64 - 1, 2**64, -(2**63), -(2**63) - 1, 1e300, -1e300, 1e20, float("nan"),
    float("inf"), 1j, 2 + 0j, np.float32(1.5), np.float64(7), np.int8(-3), np.uint8(200), np.int64(2**40), np.True_, np.complex64(3),
    "7", "x", None, fractions.Fraction(1, 2), decimal.Decimal("1.5"), np.float16(2),
]  # fmt: skip


def outcome(function):
    try:
        return function()
    except Exception as error:
        return type(error)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("number", NUMBERS, ids=repr)
def test_numbers_are_stored_or_refused_as_numpy_does(dtype, number):
    """But for integers that do not fit, which NumPy 1 lets wrap."""
    for key in [1, slice(None), slice(1, 2), ...]:
        plain, ours = np.ones(3, dtype), numd.ones(3, dtype)
        wanted, got = outcome(lambda: plain.__setitem__(key, number)), outcome(lambda: ours.__setitem__(key, number))
        if got is OverflowError and wanted is None and type(number) is int:
            assert np.__version__.startswith("1.") and not np.iinfo(dtype).min <= number <= np.iinfo(dtype).max
            plain = np.ones(3, dtype)
        elif got is not wanted:
            assert isinstance(got, type) and isinstance(wanted, type) and (issubclass(got, wanted) or issubclass(wanted, got))
        np.testing.assert_array_equal(np.asarray(ours), plain)


@examples(100)
@given(st.data())
def test_elements_in_any_layout(data):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    plain = np.asarray(values(rng, data.draw(shapes(3, 1, 4)), data.draw(st.sampled_from(DTYPES)), special=False, low=1, high=9))
    ours = data.draw(laid_out(plain))
    if plain.size:
        index = tuple(data.draw(st.integers(-n, n - 1)) for n in plain.shape)
        assert ours[index] == plain[index]
        ours[index] = 1
        plain[(*index, ...)] = 1
    np.testing.assert_array_equal(np.asarray(ours), plain)


def test_elements_wait_for_what_this_process_has_submitted():
    n = 300_000
    a, out = numd.ones(n), numd.zeros(n)
    slow = numd.function(lambda x: numd.exp(numd.sin(numd.exp(x))) + numd.tan(x))
    wanted = slow(a)[n - 1]
    for keep in (True, False):
        for i in range(8):
            out[n - 1] = 0
            kept = [slow.submit(a, out=out[:])]
            if not keep:
                kept.clear()
            assert out[n - 1] == wanted
    later = [slow.submit(a, out=out) for _ in range(3)]
    out[0] = 5  # after the calls before it
    assert out[0] == 5 and all(future.result() is out for future in later)
