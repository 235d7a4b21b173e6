# SPDX-License-Identifier: BSD-3-Clause
"""Every row of the list, against NumPy: random dtypes, shapes, layouts and parameters; a row is tested by being
there. Factorisations, which have more than one answer, are in test_linalg."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from row_cases import make
from checking import check, result_dtype, rows, same
from examples import examples
from layouts import DTYPES, dtypes_of, laid_out
from oracles import ORACLES

OPS = numd.ops()
GENERAL = [op for op in OPS if op.kind != "LINALG"]
SINGLE = [op for op in GENERAL if op.n_outputs == 1]


def each(ops):
    return pytest.mark.parametrize("op", ops, ids=[op.name for op in ops])


def call(op, operands, params, **more):
    return getattr(rows, op.name)(*operands, **params, **more)


def draw_case(data, op):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    operands, params = make(data.draw, op, rng)
    return operands, [data.draw(laid_out(x)) for x in operands], params


def test_every_row_has_an_oracle():
    assert set(ORACLES) == {op.name for op in OPS}


@each(GENERAL)
@examples(12)
@given(data=st.data())
def test_row(op, data):
    operands, ours, params = draw_case(data, op)
    check(op, operands, params, call(op, ours, params))


def out_for(data, ours, plain):
    """An array of the result's shape: another one in some layout and dtype, or one that overlaps an input."""
    fitting = [x for x in ours if x.shape == plain.shape and np.can_cast(plain.dtype, x.dtype, "same_kind")]
    if fitting and data.draw(st.booleans()):
        out = data.draw(st.sampled_from(fitting))
        return out[::-1] if out.ndim and data.draw(st.booleans()) else out
    dtype = data.draw(st.one_of(st.just(plain.dtype), st.sampled_from(DTYPES)))
    return data.draw(laid_out(np.zeros(plain.shape, dtype)))


@each(SINGLE)
@examples(6)
@given(data=st.data())
def test_out_is_cast_by_same_kind_and_may_overlap(op, data):
    operands, ours, params = draw_case(data, op)
    plain = np.array(call(op, ours, params), result_dtype(op, operands, params))
    out = out_for(data, ours, plain)
    if not np.can_cast(plain.dtype, out.dtype, "same_kind"):
        with pytest.raises(TypeError) as info:
            call(op, ours, params, out=out)
        assert info.value.status == "ECAST"
        return
    assert call(op, ours, params, out=out) is out
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(np.asarray(out), plain.astype(out.dtype))


@each([op for op in SINGLE if op.kind != "MAKE"])
@examples(4)
@given(data=st.data())
def test_traced_rows_give_the_same(op, data):
    _, ours, params = draw_case(data, op)
    plain = call(op, ours, params)
    traced = numd.function(lambda *args: call(op, args, params))(*ours)
    assert same(traced, plain)


SAMPLES = {
    "astype": {"dtype": "float64"}, "reshape": {"shape": (9,)}, "broadcast_to": {"shape": (3, 3)},
    "slice": {"start": (0, 0), "step": (1, 1), "shape": (3, 3)}, "repeat": {"n": 2},
    "tile": {"repetitions": (2,)}, "roll": {"shift": (1,)}, "cumulative_sum": {"axis": 0}, "cumulative_prod": {"axis": 0},
    "full": {"shape": (3,)}, "arange": {"shape": (3,)}, "linspace": {"shape": (3,)}, "eye": {"shape": (3, 3)},
    "concat": {"axis": 0}, "matrix_power": {"n": 2},
}  # fmt: skip


@each(OPS)
def test_other_kinds_are_refused(op):
    for dtype in sorted(set(DTYPES) - set(dtypes_of(op.dtypes))):
        n = 2 if op.n_inputs < 0 else op.n_inputs
        operands = [numd.ones((3,) if op.name == "searchsorted" and i == 0 else (3, 3), dtype) for i in range(n)]
        params = dict(SAMPLES.get(op.name, {}))
        if op.kind == "MAKE":
            operands, params["dtype"] = [x[0, 0] for x in operands], dtype
        if op.typing == "SELECT":
            operands[0] = numd.ones((3, 3), "bool")
        with pytest.raises(TypeError) as info:
            call(op, operands, params)
        assert info.value.status == "EDTYPE"


@each([op for op in OPS if op.n_inputs == 2 and op.kind == "MAP"])
@pytest.mark.parametrize("scalar", [True, 3, 2.5, 1 + 2j], ids=str)
def test_python_scalars_are_weak(op, scalar):
    from oracles import computed_in

    rng = np.random.default_rng(1)
    for dtype in DTYPES:
        array = rng.uniform(1, 5, 37).astype(dtype)  # NumPy 1 and 2 differ in a complex power of 0
        for operands in ([array, scalar], [scalar, array]):
            ours = [numd.asarray(x) if x is array else x for x in operands]
            if computed_in(op, operands).kind not in {np.dtype(d).kind for d in dtypes_of(op.dtypes)}:
                with pytest.raises(TypeError):
                    call(op, ours, {})
                continue
            check(op, operands, {}, call(op, ours, {}))
