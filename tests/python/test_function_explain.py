# SPDX-License-Identifier: BSD-3-Clause
"""What explain says: the steps, and the bytes that they move."""

import re

import numpy as np
import pytest

import numd

N = 1000


@pytest.fixture
def x():
    return numd.ones(N)


def totals(text):
    """(read, written) of the plan and of one operation at a time."""
    return [
        tuple(map(int, re.search(rf"{start}.*?reads (\d+) bytes, writes (\d+)", text).groups()))
        for start in ("total:", "one operation at a time")
    ]


def test_a_fused_expression_is_one_step(x):
    text = numd.function(lambda a, k: a * k + numd.sqrt(a) - 2.5).explain(x, 3.0)
    assert "step 0: elementwise" in text and "total: 1 step," in text
    assert "in0: float64 (1000,)" in text and "in1: float64 (), a number" in text
    for line in ("multiply[float64](in0, in1)", "sqrt[float64](in0)", "out0 = subtract[float64]", "2.5)"):
        assert line in text
    assert totals(text) == [(8 * N, 8 * N), (5 * 8 * N, 4 * 8 * N)]
    assert repr(text) == text


def test_operations_stand_in_order(x):
    text = numd.function(lambda a: numd.exp(numd.sin(a)) + a).explain(x)
    assert text.index("sin[") < text.index("exp[") < text.index("add[")


def test_reductions_products_and_array_kernels_are_steps():
    m = numd.ones((10, 10))
    text = numd.function(lambda m: (m @ m, (m * 2).sum(), numd.sort(m), numd.inv(m + numd.eye(10)))).explain(m)
    for kind in ("product (10 x 10) @ (10 x 10)", "reduction over", "array kernel", "sort[", "inv["):
        assert kind in text
    assert "total: " in text and "in temporaries" in text


def test_steps_read_and_write_what_they_need(x):
    text = numd.function(lambda a: a - a.mean()).explain(x)
    steps = [tuple(map(int, found)) for found in re.findall(r"step \d+.*?reads (\d+) bytes, writes (\d+)", text)]
    assert steps[0] == (8 * N, 8) and steps[-1] == (8 * N + 8, 8 * N)
    assert totals(text)[0] == tuple(map(sum, zip(*steps)))


def test_small_dtypes_and_casts():
    text = numd.function(lambda a: a + numd.asarray(np.ones(N, "int16"))).explain(numd.ones(N, "int8"))
    assert totals(text) == [(3 * N, 2 * N), (3 * N, 2 * N)]


def test_repeated_elements_move_once():
    text = numd.function(lambda a, b: a + b).explain(numd.ones((50, 20)), numd.broadcast_to(numd.ones(20), (50, 20)))
    assert totals(text)[0] == (8 * 1020, 8 * 1000)


def test_arguments_of_any_form(x):
    f = numd.function(lambda p, n, k=1: p["a"] * n + k, static=("n",))
    text = f.explain({"a": x}, n=3, k=2.0)
    assert "multiply[float64](in0, 3)" in text and "a number" in text


def test_what_is_said_twice_is_computed_once():
    a = numd.asarray(np.random.default_rng(1).random(100))
    f = numd.function(lambda x: ((x * 2 + 1) * (x * 2), (x * 2).sum(), x * 2, x * 2, x * -0.0, x * 0.0))
    assert f.explain(a).count("multiply") == 4  # x * 2, the product, x * -0.0, x * 0.0
    results = [np.asarray(each) for each in f(a)]
    x = np.asarray(a)
    for got, wanted in zip(results, ((x * 2 + 1) * (x * 2), (x * 2).sum(), x * 2, x * 2, x * -0.0, x * 0.0)):
        np.testing.assert_allclose(got, wanted)
        np.testing.assert_array_equal(np.signbit(got), np.signbit(wanted))
