# SPDX-License-Identifier: BSD-3-Clause
"""The same call gives the same bits: whatever the number of cores, each operation being large enough to be shared out,
and wherever its output lies."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from checking import rows
from examples import examples
from layouts import DTYPES, laid_out, lay_out_in_order, steps, values
from row_cases import make

CASES = pathlib.Path(__file__).with_name("every_case.py")


def digests(start, path, cores):
    """Operation and dtype -> digest, computed by a daemon that may use these cores."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        start(path)
    finally:
        os.sched_setaffinity(0, own)
    text = subprocess.run(
        [sys.executable, CASES], env=dict(os.environ, NUMD_SOCKET=path), stdout=subprocess.PIPE, text=True,
        check=True, timeout=300,
    ).stdout  # fmt: skip
    return {tuple(line.split()[:2]): line.split()[2] for line in text.splitlines()}


def test_bits_do_not_depend_on_the_number_of_cores(start, tmp_path):
    cores = os.sched_getaffinity(0)
    if len(cores) < 2:
        pytest.skip("there is one core")
    one = digests(start, str(tmp_path / "one"), {min(cores)})
    all_ = digests(start, str(tmp_path / "all"), cores)
    assert one and one.keys() == all_.keys()
    assert not [case for case in one if one[case] != all_[case]]


def bits(array):
    """What tells two arrays apart, but for the many ways to write NaN."""
    x = np.ascontiguousarray(array)
    parts = x.view(x.real.dtype) if x.dtype.kind == "c" else x
    parts = np.where(np.isnan(parts), np.nan, parts) if parts.dtype.kind == "f" else parts
    return x.shape, x.dtype, parts.tobytes()


def in_any_layout(array):
    """A strategy: an output like the array, its axes in any order in memory, with gaps and backwards."""
    order = st.permutations(range(array.ndim))
    return st.one_of(
        st.builds(lay_out_in_order, st.just(array), st.just([1] * 6), order),
        st.builds(lay_out_in_order, st.just(array), steps(), order),
    )


def overlapping(draw, x, result):
    """x in C order and an output for the result in memory that they share, from some item on."""
    memory = numd.zeros(x.size + result.size + 3, dtype=x.dtype)
    ours, first = memory[: x.size].reshape(x.shape), draw(st.integers(0, x.size + 3))
    np.asarray(ours)[...] = x
    order = draw(st.permutations(range(result.ndim)))
    out = memory[first : first + result.size][:: draw(st.sampled_from([1, -1]))]
    out = out.reshape(tuple(result.shape[axis] for axis in order)).transpose(*np.argsort(order).tolist())
    return ours, out


SINGLE = [op for op in numd.ops() if op.n_outputs == 1]
REDUCTIONS = [op for op in SINGLE if op.kind == "REDUCE"]


def each(ops):
    return pytest.mark.parametrize("op", ops, ids=[op.name for op in ops])


def drawn(data, op):
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    if op.kind == "LINALG":
        n = data.draw(st.sampled_from([1, 2, 3, 5, 17, 40]))
        dtype = data.draw(st.sampled_from(["float32", "complex128"]))
        x = values(rng, (2, n, n), dtype, special=False, low=-5, high=5) + 12 * n * np.eye(n).astype(dtype)
        x = x + np.conj(np.swapaxes(x, -1, -2))
        return [x] * op.n_inputs, {"n": 3} if op.name == "matrix_power" else {}
    return make(data.draw, op, rng)


@each(SINGLE)
@examples(4)
@given(data=st.data())
def test_bits_do_not_depend_on_where_the_output_lies(op, data):
    operands, params = drawn(data, op)
    ours = [data.draw(laid_out(x)) for x in operands]
    call = getattr(rows, op.name)
    plain = np.asarray(call(*ours, **params))
    others = [dtype for dtype in DTYPES if np.can_cast(plain.dtype, dtype, "same_kind")]
    dtype = data.draw(st.one_of(st.just(plain.dtype), st.sampled_from(others)))
    wanted = bits(call(*ours, **params, out=numd.zeros(plain.shape, dtype=dtype)))
    assert dtype != plain.dtype or wanted == bits(plain)
    out = data.draw(in_any_layout(np.zeros(plain.shape, dtype)))
    assert bits(call(*ours, **params, out=out)) == wanted


@each([op for op in SINGLE if op.n_inputs > 0])
@examples(4)
@given(data=st.data())
def test_bits_do_not_depend_on_what_the_output_overlaps(op, data):
    operands, params = drawn(data, op)
    ours = [numd.asarray(x) for x in operands]
    call = getattr(rows, op.name)
    plain = np.asarray(call(*ours, **params))
    if not np.can_cast(plain.dtype, ours[0].dtype, "same_kind"):
        return
    wanted = bits(call(*ours, **params, out=numd.zeros(plain.shape, dtype=ours[0].dtype)))
    ours[0], out = overlapping(data.draw, operands[0], plain)
    assert bits(call(*ours, **params, out=out)) == wanted


INEXACT = [op for op in REDUCTIONS if op.name not in ("any", "all", "count_nonzero", "max", "min")]


@st.composite
def sums(draw, op):
    """Inexact numbers that are reduced along some axes and kept along others, and the parameters: what is added up in
    which order depends on the arrangement of the loops."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 5, 8, 17, 40]), min_size=2, max_size=4))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    x = values(rng, shape, draw(st.sampled_from(["float32", "float64", "complex64", "complex128"])), special=False)
    axes = draw(st.sets(st.integers(0, len(shape) - 1), min_size=1, max_size=len(shape) - 1))
    params = {"axis": tuple(axes), "keepdims": draw(st.booleans())}
    if op.name == "vector_norm":
        params["ord"] = draw(st.sampled_from([1, 2, 3]))
    return x / np.abs(x) if op.name == "prod" else x, params


@each(INEXACT)
@examples(30)
@given(data=st.data())
def test_bits_of_sums_do_not_depend_on_where_the_output_lies(op, data):
    x, params = data.draw(sums(op))
    ours, call = data.draw(st.one_of(st.builds(numd.asarray, st.just(x)), in_any_layout(x))), getattr(rows, op.name)
    plain = call(ours, **params)
    out = data.draw(in_any_layout(np.zeros(plain.shape, plain.dtype)))
    assert bits(call(ours, **params, out=out)) == bits(plain)


@each(INEXACT)
@examples(10)
@given(data=st.data())
def test_bits_of_a_program_do_not_depend_on_where_its_outputs_lie(op, data):
    x, params = data.draw(sums(op))

    @numd.function
    def program(x):
        y = x * x + 1.5
        reduced = getattr(rows, op.name)(y, **params)
        return y, reduced, reduced / 3

    ours = data.draw(st.one_of(st.builds(numd.asarray, st.just(x)), in_any_layout(x)))
    plain = program(ours)
    outs = tuple(data.draw(in_any_layout(np.zeros(x.shape, x.dtype))) for x in plain)
    program(ours, out=outs)
    assert [bits(x) for x in outs] == [bits(x) for x in plain]
