# SPDX-License-Identifier: BSD-3-Clause
"""What a traced function may do: expressions, NumPy's functions, dtypes, containers, static arguments."""

import operator
import pickle
import threading
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import numd
from checking import same
from examples import examples
from layouts import DTYPES, values

A = np.linspace(0.5, 5, 24).reshape(4, 6)


def arrays(*plain):
    return [numd.asarray(x) for x in plain]


def close(got, wanted, rtol=1e-12):
    assert isinstance(got, numd.Array) or np.ndim(wanted) == 0
    wanted = np.asarray(wanted)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(np.asarray(got), wanted, rtol=rtol, atol=1e-12)


def agree(body, *plain, rtol=1e-12):
    """That the body gives the same of arrays in a function as of NumPy's arrays."""
    got, wanted = numd.function(body)(*arrays(*plain)), body(*plain)
    if not isinstance(wanted, (tuple, list)):
        got, wanted = [got], [wanted]
    assert len(got) == len(wanted)
    for mine, other in zip(got, wanted):
        close(mine, other, rtol)


# ---- Expressions

UNARY = [np.negative, np.abs, np.square, np.floor, np.sign, np.tanh, np.isfinite, np.positive]
BINARY = [operator.add, operator.sub, operator.mul, np.maximum, np.minimum, np.less, np.equal, np.hypot]


@st.composite
def trees(draw, depth=4):
    """An expression in x and y as a function of both."""
    kind = draw(st.sampled_from(["leaf", "unary", "binary", "where", "sum"] if depth else ["leaf"]))
    if kind == "leaf":
        which = draw(st.sampled_from(["x", "y", 2, 0.5, True]))
        return (lambda x, y: x) if which == "x" else (lambda x, y: y) if which == "y" else (lambda x, y: which)
    parts = [draw(trees(depth=depth - 1)) for _ in range({"unary": 1, "sum": 1, "binary": 2, "where": 2}[kind])]
    if kind == "sum":
        return lambda x, y: np.sum(x * 0 + parts[0](x, y), keepdims=True)
    if kind == "where":
        return lambda x, y: np.where(x > 1, parts[0](x, y) + x, parts[1](x, y))
    function = draw(st.sampled_from(UNARY if kind == "unary" else BINARY))
    if kind == "unary":
        return lambda x, y: function(parts[0](x, y) + x * 0)
    return lambda x, y: function(parts[0](x, y) + y * 0, parts[1](x, y))


@examples(60)
@given(tree=trees(), seed=st.integers(0, 2**32), shape=st.sampled_from([(), (7,), (3, 5), (2, 1, 9)]))
def test_random_expressions(tree, seed, shape):
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-3, 3, shape), rng.uniform(-3, 3, shape)

    def body(x, y):
        return tree(x, y) + x * 0

    with np.errstate(all="ignore"):
        wanted = body(x, y)
    np.testing.assert_allclose(
        np.asarray(numd.function(body)(*arrays(x, y))), wanted, rtol=1e-10, atol=1e-10, equal_nan=True
    )


def test_closures_and_rebinding():
    weights, factor = numd.asarray(A[0]), 3

    def body(x):
        x += weights
        x **= 2
        for i in range(factor):
            x = x * factor + i
        return x

    plain = A + A[0]
    plain = plain**2
    for i in range(3):
        plain = plain * 3 + i
    before = numd.asarray(A)
    close(numd.function(body)(before), plain)
    assert before.tolist() == A.tolist()


# ---- NumPy's functions and an ndarray's methods

SQUARE = A[:, :4] + np.eye(4) * 7

FUNCTIONS = {
    "sum": lambda x: np.sum(x, axis=0, keepdims=True),
    "sum of both": lambda x: np.sum(x, axis=(0, 1)),
    "mean, std, var": lambda x: (np.mean(x, 1), np.std(x, axis=0, ddof=1), np.var(x, keepdims=True)),
    "max, min": lambda x: (np.max(x, axis=1), np.amin(x), np.ptp(x, axis=0)),
    "any, all": lambda x: (np.any(x > 4, axis=0), np.all(x > 0)),
    "arg": lambda x: (np.argmax(x, axis=1), np.argmin(x), np.argsort(-x, axis=0)),
    "concatenate": lambda x: np.concatenate([x, x + 1], axis=1),
    "stack": lambda x: (np.stack([x, x]), np.vstack([x, x[0]]), np.hstack((x, x)), np.column_stack([x[0], x[1]])),
    "where, clip": lambda x: (np.where(x > 2, x, 0), np.clip(x, 1, 3), np.clip(x, None, 2)),
    "reshape": lambda x: (np.reshape(x, (6, 4)), np.ravel(x), np.transpose(x), np.swapaxes(x, 0, 1), x.T),
    "moveaxis": lambda x: np.moveaxis(x[None], 0, -1),
    "dims": lambda x: (np.expand_dims(x, 1), np.squeeze(x[:, None]), np.atleast_2d(x[0])),
    "cumsum, diff": lambda x: (np.cumsum(x, axis=0), np.cumprod(x), np.diff(x, axis=0), np.diff(x, prepend=x[:, :1])),
    "sort": lambda x: (np.sort(-x), np.sort(x, axis=0), np.flip(x, 0), np.roll(x, 2, axis=1)),
    "take": lambda x: (np.take(x, [0, 2], axis=1), np.take(x, np.array([[1, 2]])), np.tile(x, (2, 1))),
    "repeat, triangles": lambda x: (np.repeat(x, 2, axis=0), np.tril(x), np.triu(x, 1), np.diagonal(x), np.trace(x)),
    "like": lambda x: (np.zeros_like(x) + x, np.ones_like(x, dtype="float32") + x, np.full_like(x, 3.0)),
    "rounded": lambda x: (np.round(x), np.around(x, 1), np.rint(x)),
    "products": lambda x: (np.dot(x, x.T), x @ x.T, np.outer(x[0], x[1]), np.inner(x, x), np.tensordot(x, x, 2)),
    "vdot": lambda x: (np.vdot(x, x), np.dot(x[0], x[1])),
    "norm": lambda x: (np.linalg.norm(x), np.linalg.norm(x, axis=1), np.linalg.norm(x, 1), np.linalg.norm(x[0], np.inf)),
    "reduce": lambda x: (np.add.reduce(x), np.maximum.reduce(x, axis=None), np.multiply.reduce(x, axis=1)),
    "masked": lambda x: (np.sum(x, where=x > 1), np.mean(x, axis=0, where=x > 1), np.add.reduce(x, where=x > 2)),
    "order statistics": lambda x: (np.median(x, axis=0), np.quantile(x, [0.1, 0.5], axis=1), np.percentile(x, 30)),
    "average": lambda x: (np.average(x, axis=1, weights=np.arange(6.0)), np.nanmean(x), np.nan_to_num(x)),
    "several rows": lambda x: (np.degrees(x), np.divmod(x, 2)[0], np.float_power(x, 2), np.add.outer(x[0], x[1])),
    "arranged": lambda x: (np.rot90(x), np.dstack([x, x]), np.meshgrid(x[0], x[1])[1], np.split(x, 2)[1], np.append(x, x)),
    "einsum": lambda x: (np.einsum("ij,kj->ik", x, x), np.linalg.multi_dot([x, x.T, x]), np.cross(x[:, :3], x[:, 3:])),
    "close": lambda x: (np.isclose(x, x + 1e-9), np.allclose(x, x)),
    "broadcast": lambda x: np.broadcast_to(x[0], (3, 6)) + 0,
    "ufunc dtype": lambda x: np.add(x, 1, dtype="float64"),
    "methods": lambda x: (x.sum(axis=1, keepdims=True), x.clip(1, 2), x.reshape(2, -1), x.cumsum(axis=0), x.dot(x.T)),
    "more methods": lambda x: (x.flatten(), x.ravel(), x.squeeze(), x.round(), x.take([1, 2], axis=0), x.std(ddof=1)),
    "bounds by name": lambda x: (x.clip(max=2.0), x + np.iscomplexobj(x)),
    "of shape": lambda x: x * np.size(x) + np.shape(x)[0] + np.ndim(x) + len(x) + x.nbytes,
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numpy_functions(name):
    agree(FUNCTIONS[name], A)


LINALG = {
    "solve": lambda a: np.linalg.solve(a, a[:, 0]),
    "inverse": lambda a: (np.linalg.inv(a), np.linalg.det(a), np.linalg.pinv(a)),
    "slogdet": lambda a: tuple(np.linalg.slogdet(a)),
    "singular": lambda a: (np.linalg.svd(a, compute_uv=False), np.linalg.svd(a)[1], np.linalg.matrix_rank(a)),
    "symmetric": lambda a: (np.linalg.eigvalsh(a + a.T), np.linalg.eigh(a @ a.T)[0], np.linalg.cholesky(a @ a.T)),
    "power": lambda a: np.linalg.matrix_power(a, 3),
    "least squares": lambda a: np.linalg.lstsq(a[:, :2], a[:, 3], rcond=None)[0],
}


@pytest.mark.parametrize("name", LINALG)
def test_linear_algebra(name):
    agree(LINALG[name], SQUARE, rtol=1e-9)


def test_several_results_of_one_operation():
    @numd.function
    def rebuilt(a):
        q, r = np.linalg.qr(a)
        u, s, vh = numd.svd(a, full_matrices=False)
        w, v = numd.eigh(a @ a.T)
        sign, logabsdet = numd.slogdet(a @ a.T)
        return {"qr": q @ r, "svd": (u * s) @ vh, "eigh": (v * w) @ v.mT, "det": sign * numd.exp(logabsdet), "s": s}

    a = A[:, :4] + np.eye(4)
    got = rebuilt(numd.asarray(a))
    close(got["qr"], a)
    close(got["svd"], a)
    close(got["eigh"], a @ a.T, 1e-10)
    close(got["det"], np.linalg.det(a @ a.T), 1e-9)
    close(got["s"], np.linalg.svd(a, compute_uv=False))


# ---- Dtypes

OPERATIONS = {
    "add": lambda x, y: x + y,
    "divide": lambda x, y: x / y,
    "with int": lambda x, y: x + 1,
    "with float": lambda x, y: x * 0.5,
    "with complex": lambda x, y: x * 1j,
    "compare": lambda x, y: x == y,
    "sqrt": lambda x, y: np.sqrt(x),
    "sum": lambda x, y: (x.sum(), x.mean(), x.std(), x.any(), numd.count_nonzero(x), numd.vector_norm(x)),
    "scan": lambda x, y: numd.cumulative_sum(x, axis=0),
    "abs": lambda x, y: (abs(x), numd.real(x)),
    "where": lambda x, y: np.where(x == y, x, y),
    "take": lambda x, y: numd.take(x, numd.asarray([0])),
    "astype": lambda x, y: x.astype("int16"),
    "matmul": lambda x, y: x[:, None] @ y[None],
    "norm": lambda x, y: numd.matrix_norm(x[None]),
    "linalg": lambda x, y: (numd.inv(SQUARE * x[0]), *numd.eig(SQUARE * x[0]), *numd.svd(SQUARE * x[0])),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_dtypes_are_known_while_tracing(name):
    for first in DTYPES:
        for second in (first, "int8", "float32"):
            seen = []

            def body(x, y):
                found = OPERATIONS[name](x, y)
                seen.extend((each.dtype, each.shape) for each in (found if isinstance(found, tuple) else (found,)))
                return found

            x, y = (numd.asarray(np.ones(3, dtype)) for dtype in (first, second))
            try:
                got = numd.function(body)(x, y)
            except (numd.DtypeError, numd.LinAlgError):
                continue
            got = got if isinstance(got, tuple) else (got,)
            assert seen == [(each.dtype, each.shape) for each in got], (name, first, second)


def test_code_may_look_at_dtypes():
    @numd.function
    def halved(x):
        return x // 2 if x.dtype.kind == "i" else x * 0.5

    assert halved(numd.asarray([3, 4])).tolist() == [1, 2]
    assert halved(numd.asarray([3.0, 4.0])).tolist() == [1.5, 2.0]
    assert halved(numd.asarray([3], dtype="float32")).dtype == np.float32


def test_traces_once_for_each_signature():
    seen = []

    @numd.function
    def f(x, y):
        seen.append((x.shape, x.dtype))
        return x + y

    for _ in range(3):
        for x in (np.ones(3), np.ones(4), np.ones(3, "int32")):
            f(numd.asarray(x), 1)
    assert len(seen) == 3


# ---- Arguments and results


class Layer(NamedTuple):
    weights: object
    bias: object


def test_containers_as_arguments_and_results():
    traces = []

    @numd.function
    def step(layers, options, *rest, scale=1.0):
        traces.append(1)
        out = [Layer(a.weights * scale, a.bias + options["shift"]) for a in layers]
        return {"layers": out, "sum": (sum(rest), None), "n": [len(layers)]}

    x, y = arrays(A, A[0])
    for shift in (1.0, 2.0):
        got = step([Layer(x, y), Layer(y, x)], {"shift": shift}, x, x, scale=2.0)
        assert list(got) == ["layers", "sum", "n"] and type(got["layers"]) is list
        assert type(got["layers"][0]) is Layer and got["sum"][1] is None
        close(got["layers"][0].weights, A * 2)
        close(got["layers"][1].bias, A + shift)
        close(got["sum"][0], A + A)
        assert got["n"][0].item() == 2
    assert len(traces) == 1
    close(step([Layer(x, y)], {"shift": 0}, x)["layers"][0].weights, A)
    assert len(traces) == 2


def test_keywords_and_defaults():
    traces = []

    @numd.function
    def f(x, y=2.0, *, z=3):
        traces.append(1)
        return x * y + z

    x = numd.asarray(A)
    close(f(x), A * 2 + 3)
    close(f(x, y=x), A * A + 3)
    close(f(z=x, y=5, x=x), A * 5 + A)
    close(f(x=x, y=5, z=x), A * 5 + A)
    assert len(traces) == 3
    out = numd.zeros((4, 6))
    assert f(x, z=1, out=out) is out
    close(out, A * 2 + 1)
    close(f.submit(x, z=1).result(), A * 2 + 1)
    with pytest.raises(TypeError):
        f(x, unknown=1)
    inner = numd.function(lambda a: f(a, z=a) + f((a + 1), 2))
    close(inner(x), A * 2 + A + (A + 1) * 2 + 3)


def test_results_keep_their_structure_with_out():
    f = numd.function(lambda x: {"a": x + 1, "b": [x.sum()]})
    mine, total = numd.zeros((4, 6)), numd.zeros(())
    got = f(numd.asarray(A), out=(mine, total))
    assert got["a"] is mine and got["b"][0] is total
    close(mine, A + 1)
    close(total, A.sum())


def test_static_arguments():
    traces = []

    @numd.function(static=("n", 2))
    def f(x, n, mode="plus", *, factor=1.0):
        traces.append(1)
        for _ in range(n):
            x = x + factor if mode == "plus" else x * factor
        return x

    x = numd.asarray(A)
    close(f(x, 3), A + 3)
    close(f(x, n=3), A + 3)
    close(f(x, 3), A + 3)
    assert len(traces) == 2  # by position and by keyword
    close(f(x, 2, "times", factor=3.0), A * 9)
    close(f(x, 2, mode="times", factor=4.0), A * 16)
    close(f(x, True), A + 1)
    close(f(x, 1), A + 1)
    assert len(traces) == 6
    for argument in ([1], {}, numd.ones(3)):
        with pytest.raises(TypeError, match="static argument n must be hashable"):
            f(x, argument)
    for wrong in ("unknown", 9, -9):
        with pytest.raises(TypeError, match="could be static"):
            numd.function(lambda x: x, static=wrong)
    with pytest.raises(TypeError, match="mode is None.*static"):
        numd.function(lambda x, mode: x)(x, None)
    with pytest.raises(numd.TraceError, match=r"p\[1\]\['k'\] is a str"):
        numd.function(lambda p: p)((x, {"k": "text"}))


@pytest.mark.parametrize("one, other", [((1,), (1.0,)), ((True, 2), (1, 2)), (0.0, -0.0), ((0.0,), (-0.0,)), (0j, -0j)])
def test_static_arguments_that_compare_equal_are_not_the_same(one, other):
    seen = []

    @numd.function(static=("n",))
    def f(x, n):
        seen.append(repr(n))
        return x + 1

    x = numd.asarray(A)
    for value in (one, other, one, other):
        f(x, value)
    assert seen == [repr(one), repr(other)]


def test_many_structures():
    f = numd.function(lambda xs, n: sum(xs) + n, static=("n",))
    x = numd.ones(2)
    for n in range(1500):
        assert f([x], n=n).tolist() == [1 + n] * 2


class Model:
    def __init__(self, k):
        self.k, self.weights = k, numd.full(6, float(k))

    @numd.function
    def predict(self, x, *, shift=0):
        """Text."""
        return x * self.weights + self.k + shift

    @staticmethod
    @numd.function
    def plus(x):
        return x + 1


def test_methods():
    x = numd.asarray(A)
    one, two = Model(1), Model(2)
    for _ in range(2):
        close(one.predict(x), A + 1)
        close(two.predict(x, shift=1), A * 2 + 3)
    close(Model.predict(one, x), A + 1)
    close(Model.plus(x), A + 1)
    assert Model.predict.__doc__ == "Text." and Model.predict.__wrapped__ is not None
    assert pickle.loads(pickle.dumps(Model.predict)) is Model.predict


def test_traced_in_several_threads():
    f = numd.function(lambda p, k: {"x": p[0] * k + p[1]})
    failures = []

    def work(n):
        try:
            for i in range(30):
                x = np.arange(n + i % 5 + 1.0)
                close(f((numd.asarray(x), 1.0), k=n)["x"], x * n + 1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


# ---- What is refused


def loop(x):
    while x.sum() > 1:
        x = x - 1
    return x


REFUSED = {
    "while": (loop, "numd.where"),
    "if": (lambda x: 1 if x[0, 0] else 2, "numd.where"),
    "and": (lambda x: (x > 1) and (x < 3), "logical_and"),
    "for": (lambda x: [row for row in x], r"range\(len"),
    "int": (lambda x: int(x[0, 0]), "static"),
    "float": (lambda x: float(x.sum()), "static"),
    "index": (lambda x: [1, 2][x[0, 0]], "static"),
    "range": (lambda x: range(x[0, 0]), "static"),
    "item": (lambda x: x.sum().item(), "static"),
    "assigned": (lambda x: x.__setitem__(0, 1), "numd.where"),
    "sorted in place": (lambda x: x.sort(), "numd.sort"),
    "masked": (lambda x: x[x > 1], "numd.where"),
    "unique": (lambda x: numd.unique_all(x), "depends on the data"),
    "nonzero": (lambda x: np.nonzero(x), "depends on the data"),
    "to NumPy": (lambda x: np.asarray(x), "NumPy array"),
    "list": (lambda x: x + [x, x], "numd.stack"),
    "unknown function": (lambda x: np.fft.fft(x), r"np\.fft\.fft"),
    "unknown argument": (lambda x: np.sort(x, order="f"), r"np\.sort\(\) with these arguments"),
    "out": (lambda x: np.sum(x, axis=0, out=np.zeros(6)), "out="),
    "contains": (lambda x: 3 in x, "numd.any"),
    "nothing": (lambda x: None, "nothing to compute"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_file_line_and_advice(name):
    body, advice = REFUSED[name]
    line = body.__code__.co_firstlineno
    with pytest.raises(numd.TraceError, match=rf"(?s){advice}") as info:
        numd.function(body)(numd.asarray(A))
    assert isinstance(info.value, TypeError)
    if name != "nothing":
        assert f"test_function_tracing.py, line {line + (name == 'while')}" in str(info.value)


@pytest.mark.parametrize("dtype", ["float64", "int32", "complex64"])
def test_rows_of_scalars(dtype):
    """Numbers among the arguments are weak in every row of two operands."""
    x = values(np.random.default_rng(1), (5,), dtype, special=False, low=1, high=9)
    for row in [row for row in numd.ops() if row.kind == "MAP" and row.n_inputs == 2]:
        for number in (2, 2.5):
            call = getattr(numd, row.name)
            try:
                plain = call(numd.asarray(x), number)
            except numd.DtypeError:
                continue
            assert same(numd.function(call)(numd.asarray(x), number), plain), (row.name, number)
