"""NumPy's reductions, scans and statistics."""

import numpy as np

from . import _numd
from ._np_table import implements, need
from ._rows import is_traced, operand, operand_of, rows
from ._shape import axis_of, stack
from ._ufuncs import NOT_GIVEN, mask_of, reduction, store

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
    """Sorted along the axis, which is moved to the front."""
    a = operand(a)
    need(a.dtype.kind in "iuf")
    if axis is None:
        a, axis = a.reshape(-1), 0
    axis = axis_of(axis, a.ndim)
    need(a.shape[axis])
    order = (axis, *(i for i in range(a.ndim) if i != axis))
    return rows.sort(a, axis=axis).transpose(order)


def finished(result, ordered):
    """NaN where there was one."""
    if ordered.dtype.kind != "f":
        return result
    return rows.where(rows.isnan(ordered[-1]), ordered[-1], result)


def with_axis(result, a, axis):
    """The result of a reduction with the axis kept."""
    shape = operand(a).shape
    kept = [1 if axis is None or i == axis_of(axis, len(shape)) else n for i, n in enumerate(shape)]
    return result.reshape(tuple(kept))


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
    if keepdims:
        results = [with_axis(result, a, axis) for result in results]
    return store(stack(results) if points.ndim else results[0], out)


def between(ordered, point):
    """The value at a point of the first axis, from 0 to 1, by a straight line between neighbours."""
    place = point * (ordered.shape[0] - 1)
    i = int(place)
    part = place - i
    low, high = ordered[i], ordered[min(i + 1, ordered.shape[0] - 1)]
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
