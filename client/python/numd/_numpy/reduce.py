# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's reductions, scans and statistics."""

import numpy as np

from .. import _numd
from .._standard import arrange as _arrange, shape as _shape
from .._standard.operands import is_traced, operand, operand_of
from .._standard.rows import rows
from .._standard.shape import axes_of, axis_of
from .registry import implements, need
from .ufuncs import NOT_GIVEN, mask_of, reduction, store

Array = _numd.Array


def reducer(name, ufunc, identity):
    def reduce(a, axis=None, dtype=None, out=None, keepdims=False, initial=NOT_GIVEN, where=True):
        return reduction(name, ufunc, identity, operand(a), axis, dtype, out, keepdims, initial, where)

    return reduce


def reducer_without_dtype(name, ufunc, identity):
    def reduce(a, axis=None, out=None, keepdims=False, initial=NOT_GIVEN, where=True):
        return reduction(name, ufunc, identity, operand(a), axis, None, out, keepdims, initial, where)

    return reduce


sum_ = implements("sum")(reducer("sum", np.add, 0))
prod = implements("prod", "product")(reducer("prod", np.multiply, 1))
max_ = implements("max", "amax")(reducer_without_dtype("max", np.maximum, None))
min_ = implements("min", "amin")(reducer_without_dtype("min", np.minimum, None))


@implements("all")
def all_(a, axis=None, out=None, keepdims=False, *, where=True):
    return reduction("all", None, True, operand(a), axis, None, out, keepdims, None, where)


@implements("any")
def any_(a, axis=None, out=None, keepdims=False, *, where=True):
    return reduction("any", None, False, operand(a), axis, None, out, keepdims, None, where)


@implements("count_nonzero")
def count_nonzero(a, axis=None, *, keepdims=False):
    return rows.count_nonzero(operand(a), axis=axis, keepdims=keepdims)


def moments(name, a, axis, dtype, out, keepdims, **options):
    a = operand(a) if dtype is None else operand_of(dtype, a)
    return store(getattr(rows, name)(a, axis=axis, keepdims=keepdims, **options), out)


@implements("mean")
def mean(a, axis=None, dtype=None, out=None, keepdims=False, *, where=True):
    if where is True:
        return moments("mean", a, axis, dtype, out, keepdims)
    a = operand(a) if dtype is None else operand_of(dtype, a)
    mask = rows.broadcast_to(mask_of(where), shape=a.shape)
    total = sum_(a, axis, keepdims=keepdims, where=mask)
    count = rows.count_nonzero(mask, axis=axis, keepdims=keepdims)
    narrow = total.dtype in ("float32", "complex64")
    return store(rows.divide(total, rows.astype(count, "float32" if narrow else "float64")), out)


@implements("var")
def var(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=NOT_GIVEN):
    ddof = ddof if correction is NOT_GIVEN else correction
    return moments("var", a, axis, dtype, out, keepdims, correction=ddof)


@implements("std")
def std(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=NOT_GIVEN):
    ddof = ddof if correction is NOT_GIVEN else correction
    return moments("std", a, axis, dtype, out, keepdims, correction=ddof)


@implements("argmax")
def argmax(a, axis=None, out=None, *, keepdims=False):
    return store(rows.argmax(operand(a), axis=axis, keepdims=keepdims), out)


@implements("argmin")
def argmin(a, axis=None, out=None, *, keepdims=False):
    return store(rows.argmin(operand(a), axis=axis, keepdims=keepdims), out)


@implements("cumsum")
def cumsum(a, axis=None, dtype=None, out=None):
    return store(rows.cumulative_sum(operand(a), axis=axis, dtype=dtype), out)


@implements("cumprod", "cumproduct")
def cumprod(a, axis=None, dtype=None, out=None):
    return store(rows.cumulative_prod(operand(a), axis=axis, dtype=dtype), out)


def scan(name):
    def accumulate(x, /, *, axis=None, dtype=None, out=None, include_initial=False):
        x = operand(x)
        if axis is None and x.ndim != 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` argument is required.")
        result = getattr(rows, name)(x, axis=axis, dtype=dtype, include_initial=include_initial)
        return store(result, out)

    return accumulate


cumulative_sum = implements("cumulative_sum")(scan("cumulative_sum"))
cumulative_prod = implements("cumulative_prod")(scan("cumulative_prod"))


@implements("ptp")
def ptp(a, axis=None, out=None, keepdims=False):
    return store(rows.subtract(max_(a, axis, keepdims=keepdims), min_(a, axis, keepdims=keepdims)), out)


@implements("average")
def average(a, axis=None, weights=None, returned=False, *, keepdims=False):
    a = operand(a)
    if weights is None:
        result = mean(a, axis, keepdims=keepdims)
        total = _numd.full(result.shape, a.size / max(result.size, 1), result.dtype)
        return (result, total) if returned else result
    weights = operand(weights)
    if weights.shape != a.shape:
        need(isinstance(axis, int) and weights.shape == (a.shape[axis],))
        weights = weights.reshape((-1,) + (1,) * (a.ndim - 1 - axis_of(axis, a.ndim)))
    wide = _numd.result_type(a.dtype, weights.dtype, "float64" if a.dtype.kind in "biu" else a.dtype)
    total = sum_(rows.broadcast_to(weights, shape=a.shape), axis, wide, keepdims=keepdims)
    if not is_traced(total) and not all_(total):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    result = rows.divide(sum_(rows.multiply(a, weights), axis, wide, keepdims=keepdims), total)
    return (result, total) if returned else result


# ---- Order statistics: views of the sorted array


def sorted_along(a, axis):
    """Sorted along the axis, or along several as one, moved to the front."""
    a = operand(a)
    need(a.dtype.kind in "iuf")
    axes = axes_of(range(a.ndim) if axis is None else axis, a.ndim)
    others = [i for i in range(a.ndim) if i not in axes]
    lanes = a.transpose((*axes, *others))
    lanes = lanes.reshape((-1, *lanes.shape[len(axes) :])) if len(axes) != 1 else lanes
    need(lanes.shape[0])
    return rows.sort(lanes, axis=0)


def finished(result, ordered):
    """NaN where there was one."""
    if ordered.dtype.kind != "f":
        return result
    last = ordered[-1, ...]
    return rows.where(rows.isnan(last), last, result)


def with_axis(result, a, axis):
    """The result of a reduction with the axes kept."""
    shape = operand(a).shape
    axes = axes_of(range(len(shape)) if axis is None else axis, len(shape))
    return result.reshape(tuple(1 if i in axes else n for i, n in enumerate(shape)))


@implements("median")
def median(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    ordered = sorted_along(a, axis)
    n = ordered.shape[0]
    result = finished(rows.mean(ordered[(n - 1) // 2 : n // 2 + 1], axis=0), ordered)
    return store(with_axis(result, a, axis) if keepdims else result, out)


def quantiles(a, q, axis, out, method, keepdims):
    points = np.asarray(q, float)
    need(method == "linear" and points.ndim <= 1 and points.size)
    ordered = sorted_along(a, axis)
    if not ((points >= 0) & (points <= 1)).all():
        raise ValueError("quantiles are from 0 to 1, percentiles from 0 to 100")
    wide = ordered if ordered.dtype.kind == "f" else rows.astype(ordered, dtype="float64")
    results = [finished(between(wide, float(point)), wide) for point in points.reshape(-1)]
    return one_or_stacked(results, points, a, axis, out, keepdims)


def one_or_stacked(results, points, a, axis, out, keepdims):
    """The result for each point, as many as there are, or alone if the point is a number."""
    if keepdims:
        results = [with_axis(result, a, axis) for result in results]
    return store(_arrange.stack(results) if points.ndim else results[0], out)


def between(ordered, point):
    """The value at a point of the first axis, from 0 to 1, by a straight line between neighbours."""
    place = point * (ordered.shape[0] - 1)
    i = int(place)
    part = place - i
    low, high = ordered[i, ...], ordered[min(i + 1, ordered.shape[0] - 1), ...]
    step = rows.subtract(high, low)
    if part < 0.5:
        return rows.add(low, rows.multiply(step, part))
    return rows.subtract(high, rows.multiply(step, 1 - part))


@implements("quantile")
def quantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantiles(a, q, axis, out, method, keepdims)


@implements("percentile")
def percentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return quantiles(a, np.true_divide(q, 100), axis, out, method, keepdims)


# ---- Without NaN


def without_nan(a, value):
    a = operand(a)
    return rows.where(rows.isnan(a), value, a) if a.dtype.kind in "fc" else a


@implements("nansum")
def nansum(a, axis=None, dtype=None, out=None, keepdims=False):
    return sum_(without_nan(a, 0), axis, dtype, out, keepdims)


@implements("nanprod")
def nanprod(a, axis=None, dtype=None, out=None, keepdims=False):
    return prod(without_nan(a, 1), axis, dtype, out, keepdims)


@implements("nanmean")
def nanmean(a, axis=None, dtype=None, out=None, keepdims=False):
    a = operand(a)
    if a.dtype.kind not in "fc":
        return mean(a, axis, dtype, out, keepdims)
    return mean(a, axis, dtype, out, keepdims, where=rows.logical_not(rows.isnan(a)))


def extreme(name, row, worst):
    @implements(name)
    def reduce(a, axis=None, out=None, keepdims=False, initial=NOT_GIVEN, where=True):
        a = operand(a)
        if a.dtype.kind != "f":
            return row(a, axis, out, keepdims, initial, where)
        need(where is True)
        check_not_all_nan(a, axis)
        return row(without_nan(a, worst), axis, out, keepdims, initial)

    return reduce


def check_not_all_nan(a, axis):
    """NumPy warns of lines without a number, or refuses them."""
    need(not rows.any(rows.all(rows.isnan(a), axis=axis)))


nanmax = extreme("nanmax", max_, -np.inf)
nanmin = extreme("nanmin", min_, np.inf)


def place_of_extreme(name, row, worst):
    @implements(name)
    def place(a, axis=None, out=None, *, keepdims=False):
        a = operand(a)
        if a.dtype.kind != "f":
            return row(a, axis, out, keepdims=keepdims)
        check_not_all_nan(a, axis)
        return row(without_nan(a, worst), axis, out, keepdims=keepdims)

    return place


nanargmax = place_of_extreme("nanargmax", argmax, -np.inf)
nanargmin = place_of_extreme("nanargmin", argmin, np.inf)


@implements("nanvar")
def nanvar(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=NOT_GIVEN):
    ddof = ddof if correction is NOT_GIVEN else correction
    a = operand(a) if dtype is None else _numd.asarray(a, dtype)
    if a.dtype.kind not in "fc":
        return var(a, axis, None, out, ddof, keepdims)
    need(a.dtype.kind == "f")
    numbers = rows.logical_not(rows.isnan(a))
    count = rows.count_nonzero(numbers, axis=axis, keepdims=keepdims)
    need(rows.all(rows.greater(count, ddof)))
    off = rows.where(numbers, rows.subtract(a, mean(a, axis, keepdims=True, where=numbers)), 0)
    squares = rows.sum(rows.multiply(off, off), axis=axis, keepdims=keepdims)
    return store(rows.divide(squares, rows.astype(rows.subtract(count, ddof), dtype=a.dtype)), out)


@implements("nanstd")
def nanstd(a, axis=None, dtype=None, out=None, ddof=0, keepdims=False, *, correction=NOT_GIVEN):
    return store(rows.sqrt(nanvar(a, axis, dtype, None, ddof, keepdims, correction=correction)), out)


@implements("nancumsum")
def nancumsum(a, axis=None, dtype=None, out=None):
    return cumsum(without_nan(a, 0), axis, dtype, out)


@implements("nancumprod")
def nancumprod(a, axis=None, dtype=None, out=None):
    return cumprod(without_nan(a, 1), axis, dtype, out)


@implements("nanmedian")
def nanmedian(a, axis=None, out=None, overwrite_input=False, keepdims=False):
    ordered = sorted_along(a, axis)
    if ordered.dtype.kind != "f":
        return median(a, axis, out, keepdims=keepdims)
    count = rows.count_nonzero(rows.logical_not(rows.isnan(ordered)), axis=0, keepdims=True)
    need(rows.all(count))  # of no number: NumPy warns
    low, high = rows.floor_divide(rows.subtract(count, 1), 2), rows.floor_divide(count, 2)
    middle = [rows.take_along_axis(ordered, at, axis=0)[0] for at in (low, high)]
    result = rows.multiply(rows.add(*middle), 0.5)
    return store(with_axis(result, a, axis) if keepdims else result, out)


def nanquantiles(a, q, axis, out, method, keepdims):
    points = np.asarray(q, float)
    need(method == "linear" and points.ndim <= 1 and points.size and ((points >= 0) & (points <= 1)).all())
    ordered = sorted_along(a, axis)
    if ordered.dtype.kind != "f":
        return quantiles(a, q, axis, out, method, keepdims)
    last = rows.subtract(rows.count_nonzero(rows.logical_not(rows.isnan(ordered)), axis=0, keepdims=True), 1)
    need(rows.all(rows.greater_equal(last, 0)))  # of no number: NumPy warns
    results = [between_numbers(ordered, last, float(point)) for point in points.reshape(-1)]
    return one_or_stacked(results, points, a, axis, out, keepdims)


def between_numbers(ordered, last, point):
    """As between(), of the numbers of each line, the last of which is at the place `last`."""
    place = rows.multiply(last, point)
    lower = rows.astype(place, dtype="int64")
    part = rows.astype(rows.subtract(place, lower), dtype=ordered.dtype)
    low = rows.take_along_axis(ordered, lower, axis=0)
    high = rows.take_along_axis(ordered, rows.minimum(rows.add(lower, 1), last), axis=0)
    step = rows.subtract(high, low)
    near_high = rows.subtract(high, rows.multiply(step, rows.subtract(1, part)))
    return rows.where(rows.less(part, 0.5), rows.add(low, rows.multiply(step, part)), near_high)[0]


@implements("nanquantile")
def nanquantile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return nanquantiles(a, q, axis, out, method, keepdims)


@implements("nanpercentile")
def nanpercentile(a, q, axis=None, out=None, overwrite_input=False, method="linear", keepdims=False):
    return nanquantiles(a, np.true_divide(q, 100), axis, out, method, keepdims)


# ---- Covariance


@implements("cov")
def cov(m, y=None, rowvar=True, bias=False, ddof=None, fweights=None, aweights=None, *, dtype=None):
    need(fweights is None and aweights is None)
    samples = variables(m, rowvar, dtype)
    if y is not None:
        samples = _arrange.concat([samples, variables(y, rowvar, dtype)], axis=0)
    ddof = (0 if bias else 1) if ddof is None else ddof
    n = samples.shape[1]
    need(n > ddof and samples.shape[0])
    centred = rows.subtract(samples, rows.mean(samples, axis=1, keepdims=True))
    other = rows.conj(centred) if centred.dtype.kind == "c" else centred
    result = rows.divide(rows.matmul(centred, other.T), n - ddof)
    return result.reshape(()) if result.size == 1 else result


def variables(m, rowvar, dtype):
    """As rows, of floats."""
    m = operand(m)
    need(m.ndim < 3)
    m = _numd.asarray(m, _numd.result_type(m.dtype, "float64") if dtype is None else dtype)
    if m.ndim < 2:
        return m.reshape(1, -1)
    return m if rowvar else m.T


@implements("corrcoef")
def corrcoef(x, y=None, rowvar=True, bias=np._NoValue, ddof=np._NoValue, *, dtype=None):
    c = cov(x, y, rowvar, dtype=dtype)
    need(c.dtype.kind == "f")
    if c.ndim == 0:
        return rows.divide(c, c)
    deviations = rows.sqrt(_shape.diagonal(c))
    return rows.clip(rows.divide(rows.divide(c, deviations[:, None]), deviations), -1, 1)
