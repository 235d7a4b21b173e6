# SPDX-License-Identifier: BSD-3-Clause
"""What the kernels' benchmark calls: one table of cases, a row for each operation.

A case holds two statements, as one would write them: numd's and NumPy's for the same work. In them `a`, `b`,
`c` are the inputs, `o` is an output that exists already, `n` the nominal number of elements, `s` its square
root, `t` the dtype of the result. NumPy's statement writes into `o` where NumPy can; elsewhere it has its normal
form. `nd` is numd; `rows` has the extension's own function of a row, which takes an output where the public
function has none because it gives a view (flip) or makes an array (arange).
"""
import math
from dataclasses import dataclass, field

import numpy as np

SIZES = (10**3, 10**5, 10**7)
NUMPY_MAJOR = int(np.__version__.split(".")[0])
BATCH, BATCH_SIDE = 10**4, 4  # instead of factorising a matrix of 10^7 elements

# How a result is compared: equal bits but for NaN; a few units in the last place of each element; or a small
# part of the largest element, where the order of the additions matters.
EXACT, ULP, SCALE = "exact", "ulp", "scale"


@dataclass(frozen=True)
class Case:
    numd: str
    numpy: str
    inputs: tuple = ()           # (name, domain, shape) each
    check: str = ULP
    got: str = "got"             # what of numd's result is compared ...
    wanted: str = "wanted"       # ... with what of NumPy's
    by_kind: dict = field(default_factory=dict)   # kind of dtype -> NumPy's statement, where it is another
    left_out: dict = field(default_factory=dict)  # dtype, kind or size -> why there is no such measurement
    note: str = ""

    @property
    def has_out(self):
        return "out=o" in self.numd


SHAPES = {
    "n": lambda n: (n,),
    "half": lambda n: (n // 2,),
    "tenth": lambda n: (max(1, n // 10),),
    "side": lambda n: (math.isqrt(n),),
    "square": lambda n: (math.isqrt(n),) * 2,
    "narrow": lambda n: (math.isqrt(n), 4),
    "triples": lambda n: (n // 3, 3),
    "tall": lambda n: (n // 10, 10),
    "one": lambda n: (1,),
    "matrices": lambda n: (BATCH, BATCH_SIDE, BATCH_SIDE) if n > 10**6 else (math.isqrt(n),) * 2,
    "vectors": lambda n: (BATCH, BATCH_SIDE, 1) if n > 10**6 else (math.isqrt(n),),
    "products": lambda n: (n // 1024, 32, 32) if n > 10**6 else (math.isqrt(n),) * 2,
}


def shape_of(name, n):
    return SHAPES[name](n)


def inputs(text):
    """"any any" -> a and b; "any:square" with a shape; "mask index:tenth" and so on."""
    words = [word.partition(":")[::2] for word in text.split()]
    return tuple((name, domain, shape or "n") for name, (domain, shape) in zip("abc", words))


def elementwise(domains, name=None, check=ULP, **more):
    """A ufunc: numd.NAME(a, ..., out=o) and np.NAME(a, ..., out=o)."""
    given = inputs(domains)
    arguments = ", ".join(letter for letter, _, _ in given) + ", out=o"
    return lambda op: Case(f"nd.{op}({arguments})", f"np.{name or op}({arguments})", given, check, **more)


def call(numd, numpy, domains, check=EXACT, **more):
    return lambda op: Case(numd.replace("OP", op), numpy.replace("OP", op), inputs(domains), check, **more)


def same(names, maker):
    return {name: maker for name in names.split()}


NUMPY_COPIES = "NumPy copies: it has no loop for this kind, or one that leaves the dtype"
COPY = "np.copyto(o, a)"
REAL_SIGN = {} if NUMPY_MAJOR >= 2 else {"c": "np.divide(a, np.abs(a), out=o)"}

MAPS = {
    **same("add subtract multiply", elementwise("any any")),
    "divide": elementwise("any nonzero"),
    **same("floor_divide remainder", elementwise("any nonzero")),
    "pow": elementwise("base exponent", "power"),
    **same("negative positive square", elementwise("any")),
    "abs": elementwise("any", "absolute"),
    "sign": elementwise("any", by_kind=REAL_SIGN, note="for complex numbers NumPy 1 has another sign; there "
                        "NumPy's side is a / abs(a)"),
    "reciprocal": elementwise("nonzero"),
    **same("sqrt log log2 log10 log1p", elementwise("positive")),
    **same("exp expm1 sin cos tan sinh cosh tanh", elementwise("moderate")),
    "asin": elementwise("unit", "arcsin"), "acos": elementwise("unit", "arccos"),
    "atan": elementwise("moderate", "arctan"), "asinh": elementwise("moderate", "arcsinh"),
    "acosh": elementwise("above1", "arccosh"), "atanh": elementwise("unit", "arctanh"),
    "atan2": elementwise("moderate nonzero", "arctan2"),
    **same("hypot copysign", elementwise("moderate moderate")),
    "logaddexp": elementwise("positive positive",
                             note="positive, because NumPy loses digits where the result is near 0"),
    "nextafter": elementwise("moderate moderate", check=EXACT),
    **same("floor ceil trunc", elementwise("any", check=EXACT, by_kind=dict.fromkeys("biu", COPY),
                                           note="of integers: " + NUMPY_COPIES)),
    "round": elementwise("any", check=EXACT, by_kind=dict.fromkeys("iu", COPY), note="of integers: " + NUMPY_COPIES),
    **same("isfinite isinf isnan", elementwise("any", check=EXACT)),
    "signbit": elementwise("any", check=EXACT, by_kind={"b": "np.less(a, 0, out=o)"}),
    "real": call("nd.OP(a, out=o)", "np.copyto(o, a.real)", "any"),
    "imag": call("nd.OP(a, out=o)", "np.copyto(o, a.imag)", "any"),
    "conj": elementwise("any", "conjugate", check=EXACT, by_kind={"b": COPY}),
    **same("maximum minimum equal not_equal less less_equal greater greater_equal",
           elementwise("any any", check=EXACT)),
    "clip": call("nd.OP(a, 2, 5, out=o)", "np.clip(a, 2, 5, out=o)", "any"),
    **same("logical_and logical_or logical_xor", elementwise("holes holes", check=EXACT)),
    "logical_not": elementwise("holes", check=EXACT),
    **same("bitwise_and bitwise_or bitwise_xor", elementwise("any any", check=EXACT)),
    "bitwise_invert": elementwise("any", "invert", check=EXACT),
    "bitwise_left_shift": elementwise("any shift", "left_shift", check=EXACT),
    "bitwise_right_shift": elementwise("any shift", "right_shift", check=EXACT),
    "where": call("nd.where(a, b, c, out=o)", "np.where(a, b, c)", "mask any any"),
    "copy": call("nd.copy(a, out=o)", COPY, "any"),
    "astype": call("nd.astype(a, t, out=o)", "np.copyto(o, a, casting='unsafe')", "moderate",
                   note="to float64; float64 to float32, complex128 to complex64, complex64 to complex128"),
}

REDUCTIONS = {
    **same("sum mean var std", call("nd.OP(a)", "np.OP(a)", "any", SCALE)),
    "prod": call("nd.OP(a)", "np.OP(a)", "factors", SCALE),
    **same("max min", call("nd.OP(a)", "np.OP(a)", "any")),
    "any": call("nd.any(a)", "np.any(a)", "false", note="all elements are false, so that all must be read"),
    "all": call("nd.all(a)", "np.all(a)", "true", note="all elements are true, so that all must be read"),
    "count_nonzero": call("nd.OP(a)", "np.OP(a)", "holes"),
    "vector_norm": call("nd.OP(a)", "np.linalg.norm(a)", "any", SCALE),
    **same("argmax argmin", call("nd.OP(a)", "np.OP(a)", "any")),
    "cumulative_sum": call("nd.OP(a, out=o)", "np.cumsum(a, out=o)", "any", SCALE, wanted="np.cumsum(a, dtype=wide)"),
    "cumulative_prod": call("nd.OP(a, out=o)", "np.cumprod(a, out=o)", "factors", SCALE,
                            wanted="np.cumprod(a, dtype=wide)"),
    "diff": call("nd.diff(a, out=o)", "np.diff(a)", "any"),
}

READ_ALL = "bool: no two true elements meet, so that all must be read"
PRODUCTS = {
    "matmul": call("nd.matmul(a, b, out=o)", "np.matmul(a, b, out=o)", "small:products small:products", SCALE,
                   note="one square product; at 10^7 elements a batch of products of 32 by 32"),
    "dot": call("nd.dot(a, b)", "np.dot(a, b)", "small unmet", SCALE, note=READ_ALL),
    "vecdot": call("nd.vecdot(a, b)", "np.dot(a, b)", "small unmet", SCALE, by_kind={"c": "np.vdot(a, b)"},
                   note=READ_ALL),
    "tensordot": call("nd.tensordot(a, b, axes=1, out=o)", "np.tensordot(a, b, axes=1)", "small:square small:narrow",
                      SCALE, note="a square matrix by one with four columns"),
    "outer": call("nd.outer(a, b, out=o)", "np.outer(a, b, out=o)", "any:side any:side", ULP),
    "cross": call("nd.cross(a, b, out=o)", "np.cross(a, b)", "small:triples small:triples", SCALE),
    "trace": call("nd.trace(a)", "np.trace(a)", "small:square", SCALE),
}

MADE_CONTIGUOUS = "the view made contiguous"
ARRANGED = {
    "reshape": call("rows.reshape(a, shape=(2, -1), out=o)", "np.copyto(o, a.reshape(2, -1))", "any",
                    note=MADE_CONTIGUOUS),
    "permute_dims": call("rows.permute_dims(a, order=(1, 0), out=o)", "np.copyto(o, a.transpose(1, 0))", "any:square",
                         note=MADE_CONTIGUOUS),
    "matrix_transpose": call("rows.matrix_transpose(a, out=o)", "np.copyto(o, a.T)", "any:square",
                             note=MADE_CONTIGUOUS),
    "flip": call("rows.flip(a, out=o)", "np.copyto(o, np.flip(a))", "any", note=MADE_CONTIGUOUS),
    "broadcast_to": call("rows.broadcast_to(a, shape=(s, s), out=o)", "np.copyto(o, np.broadcast_to(a, (s, s)))",
                         "any:side", note=MADE_CONTIGUOUS),
    "slice": call("rows.slice(a, start=(1,), step=(2,), shape=(n // 2 - 1,), out=o)",
                  "np.copyto(o, a[1:2 * (n // 2) - 1:2])", "any", note=MADE_CONTIGUOUS + ": every second element"),
    "diagonal": call("rows.diagonal(a, out=o)", "np.copyto(o, np.diagonal(a))", "any:square", note=MADE_CONTIGUOUS),
    "concat": call("nd.concat((a, b), out=o)", "np.concatenate((a, b), out=o)", "any:half any:half"),
    "stack": call("nd.stack((a, b), out=o)", "np.stack((a, b), out=o)", "any:half any:half"),
    "repeat": call("nd.repeat(a, 2, out=o)", "np.repeat(a, 2)", "any:half"),
    "tile": call("nd.tile(a, (2,), out=o)", "np.tile(a, 2)", "any:half"),
    "roll": call("nd.roll(a, n // 3, out=o)", "np.roll(a, n // 3)", "any"),
    **same("tril triu", call("nd.OP(a, out=o)", "np.OP(a)", "any:square")),
}

STABLE = "NumPy's stable kind, because numd's order is always stable"
COUNTED = "NumPy's normal form; numd's result is as long as NumPy's"
ORDERS = {
    "sort": call("nd.sort(a, out=o)", "np.sort(a)", "any"),
    "argsort": call("nd.argsort(a, out=o)", "np.argsort(a, kind='stable')", "any", note=STABLE),
    "searchsorted": call("nd.searchsorted(a, b, out=o)", "np.searchsorted(a, b)", "sorted any:tenth",
                         note="n / 10 values in n sorted ones"),
    "nonzero": call("nd.nonzero(a)", "np.nonzero(a)", "holes", note=COUNTED),
    "unique_values": call("nd.OP(a)", "np.unique(a)", "repeated", note=COUNTED),
    "unique_counts": call("nd.OP(a)", "np.unique(a, return_counts=True)", "repeated", note=COUNTED),
    "unique_inverse": call("nd.OP(a)", "np.unique(a, return_inverse=True)", "repeated", note=COUNTED),
    "unique_all": call("nd.OP(a)", "np.unique(a, True, True, True)", "repeated", note=COUNTED),
    "isin": call("nd.isin(a, b, out=o)", "np.isin(a, b)", "repeated any:tenth"),
    "take": call("nd.take(a, b, out=o)", "np.take(a, b, out=o, mode='clip')", "any index",
                 note="NumPy's mode='clip', which its documentation names as the fast one with out="),
    "take_along_axis": call("nd.OP(a, b, out=o)", "np.OP(a, b, -1)", "any:square column:square"),
    "extract": call("nd.extract(a, b)", "a[b]", "any mask", note=COUNTED),
    "put": call("nd.put(a, b, c, out=o)", "np.copyto(o, a); np.put(o, b, c)", "any index:tenth any:tenth"),
    "put_along_axis": call("nd.OP(a, b, c, out=o)", "np.copyto(o, a); np.OP(o, b, c, -1)",
                           "any:square column:square any:square"),
    "place": call("nd.place(a, b, c, out=o)", "np.copyto(o, a); np.place(o, b, c)", "any mask any:half"),
}

MAKERS = {
    "full": call("rows.full(1, shape=n, dtype=t, out=o)", "o.fill(1)", "any:one"),
    "arange": call("rows.arange(0, 1, shape=n, dtype=t, out=o)", "np.arange(0, n, dtype=t)", "any:one",
                   left_out={**dict.fromkeys(("int8", "uint8"), "counts no further than its largest value"),
                             ("int16", 10**5): "counts no further than its largest value",
                             ("uint16", 10**5): "counts no further than its largest value",
                             ("int16", 10**7): "counts no further than its largest value",
                             ("uint16", 10**7): "counts no further than its largest value"}),
    "linspace": call("rows.linspace(0, 100, shape=n, dtype=t, endpoint=True, out=o)", "np.linspace(0, 100, n, dtype=t)",
                     "any:one", SCALE),
    "eye": call("rows.eye(shape=(s, s), dtype=t, out=o)", "np.eye(s, dtype=t)", "any:one"),
}

AS_DOUBLES = "converted to float64 first, as int64 is, which stands for it"
NOT_BATCHED = "takes one matrix at a time"
REAL_INTEGERS = {name: AS_DOUBLES for name in "bool int8 int16 int32 uint8 uint16 uint32 uint64".split()}


def factored(numd, numpy, domains, check=SCALE, **more):
    """A row of linear algebra: one matrix, or at 10^7 elements a batch of small ones."""
    more.setdefault("left_out", REAL_INTEGERS)
    return call(numd, numpy, domains, check, **more)


LINEAR = {
    "cholesky": factored("nd.OP(a, out=o)", "np.linalg.cholesky(a)", "definite:matrices"),
    "qr": factored("nd.qr(a)", "np.linalg.qr(a)", "regular:matrices", got="got[0] @ got[1]", wanted="a"),
    "svd": factored("nd.svd(a, full_matrices=False)", "np.linalg.svd(a, full_matrices=False)", "digit:matrices",
                    got="got[0] * got[1][..., None, :] @ got[2]",
                    wanted="a"),
    "svdvals": factored("nd.OP(a, out=o)", "np.linalg.svd(a, compute_uv=False)", "digit:matrices"),
    "eigh": factored("nd.eigh(a)", "np.linalg.eigh(a)", "definite:matrices",
                     got="a @ got[1]", wanted="got[1] * got[0][..., None, :]"),
    "eigvalsh": factored("nd.OP(a, out=o)", "np.linalg.eigvalsh(a)", "definite:matrices"),
    "eig": factored("nd.eig(a)", "np.linalg.eig(a)", "regular:matrices",
                    got="a @ got[1]", wanted="got[1] * got[0][..., None, :]"),
    "eigvals": factored("nd.OP(a, out=o)", "np.linalg.eigvals(a)", "regular:matrices",
                        got="np.sort(np.abs(got))", wanted="np.sort(np.abs(wanted))"),
    "solve": factored("nd.OP(a, b, out=o)", "np.linalg.solve(a, b)", "regular:matrices small:vectors"),
    "inv": factored("nd.OP(a, out=o)", "np.linalg.inv(a)", "regular:matrices"),
    "det": factored("nd.OP(a)", "np.linalg.det(a)", "regular:matrices",
                    got="np.log(np.abs(got))", wanted="np.log(np.abs(wanted))"),
    "slogdet": factored("nd.slogdet(a)", "np.linalg.slogdet(a)", "regular:matrices"),
    "pinv": factored("nd.OP(a, out=o)", "np.linalg.pinv(a)", "regular:matrices"),
    "matrix_rank": factored("nd.OP(a)", "np.linalg.matrix_rank(a)", "digit:matrices", EXACT),
    "lstsq": factored("nd.lstsq(a, b)", "np.linalg.lstsq(a, b, rcond=None)", "small:tall small:tenth",
                      got="got[0]", wanted="wanted[0]"),
    "matrix_power": factored("nd.OP(a, 3, out=o)", "np.linalg.matrix_power(a, 3)", "digit:matrices", left_out={}),
    "matrix_norm": factored("nd.OP(a)", "np.linalg.norm(a, axis=(-2, -1))", "digit:matrices", left_out={}),
}

TABLE = {**MAPS, **REDUCTIONS, **PRODUCTS, **ARRANGED, **ORDERS, **MAKERS, **LINEAR}


def case_of(name):
    """The case of an operation; None if there is none."""
    maker = TABLE.get(name)
    return maker(name) if maker else None


def why_left_out(case, dtype, n):
    for key in (dtype, np.dtype(dtype).kind, n, (dtype, n)):
        if key in case.left_out:
            return case.left_out[key]
    return None


def numpy_statement(case, dtype, typing):
    """NumPy's statement for a dtype. Where numd promotes integers to another real dtype than NumPy would, NumPy
    is told to compute in that."""
    kind = np.dtype(dtype).kind
    statement = case.by_kind.get(kind, case.numpy)
    if typing in ("FLOAT", "QUOTIENT") and kind in "biu" and case.has_out and "out=o)" in statement:
        return statement.replace("out=o)", "out=o, dtype=t)")
    return statement


def result_dtype(dtype):
    """Where the request names the result's dtype, as astype's does."""
    return {"float64": "float32", "complex128": "complex64", "complex64": "complex128"}.get(dtype, "float64")


def without_out(statement):
    """numd's statement as it makes its own output, to learn that output's dtype and shape."""
    return statement.replace(", out=o", "")
