# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's functions on samples and series: counts, interpolation, borders, windows, slopes."""

import numpy as np

from .. import _numd
from .._standard import create as _create
from .._standard.create import like
from .._standard.operands import beside, operand
from .._standard.rows import rows
from .._standard.shape import as_tuple, axis_of, moveaxis
from .registry import NUMPY_1, implements, need


# ---- Counts: differences of places in the sorted values


@implements("digitize")
def digitize(x, bins, right=False):
    x, bins = operand(x), operand(bins)
    need(bins.ndim == 1 and bins.size)
    if bins[-1] < bins[0]:
        check_increasing(bins[::-1])
        return rows.subtract(bins.size, rows.searchsorted(bins[::-1], x, right=not right))
    check_increasing(bins)
    return rows.searchsorted(bins, x, right=not right)


def check_increasing(bins):
    if not rows.all(rows.greater_equal(bins[1:], bins[:-1])):
        raise ValueError("bins must be monotonically increasing or decreasing")


@implements("histogram_bin_edges")
def histogram_bin_edges(a, bins=10, range=None, weights=None):
    a = operand(a)
    need(a.dtype.kind in "iuf" and not isinstance(bins, str))
    if np.ndim(bins):
        check_increasing(operand(bins))
        return operand(bins)
    if range is None:
        range = (rows.min(a), rows.max(a)) if a.size else (0.0, 1.0)
    low, high = (np.asarray(end)[()] for end in range)
    need(np.isfinite(low) and np.isfinite(high) and low <= high)
    if low == high:
        low, high = low - 0.5, high + 0.5
    dtype = a.dtype if a.dtype.kind == "f" else np.float64
    return beside(a, np.linspace(low, high, bins + 1, dtype=dtype))


@implements("histogram")
def histogram(a, bins=10, range=None, density=None, weights=None):
    need(weights is None)
    a = operand(a)
    edges = histogram_bin_edges(a, bins, range)
    ordered = rows.sort(a.reshape(-1))
    places = rows.searchsorted(ordered, edges)
    places[-1] = rows.searchsorted(ordered, edges[-1], right=True)  # the last bin has its upper edge too
    counts = rows.diff(places)
    if density:
        return rows.divide(rows.divide(counts, rows.diff(edges)), rows.sum(counts)), edges
    return counts, edges


# ---- Interpolation


@implements("interp")
def interp(x, xp, fp, left=None, right=None, period=None):
    x, xp, fp = (_numd.asarray(operand(part), "float64") for part in (x, xp, fp))
    need(period is None and xp.ndim == 1 and xp.size > 1 and xp.shape == fp.shape)
    at = rows.clip(rows.subtract(rows.searchsorted(xp, x, right=True), 1), 0, xp.size - 2)
    slopes = rows.divide(rows.diff(fp), rows.diff(xp))
    beyond = rows.subtract(x, rows.take(xp, at))
    found = rows.add(rows.multiply(rows.take(slopes, at), beyond), rows.take(fp, at))
    found = rows.where(rows.equal(beyond, 0), rows.take(fp, at), found)
    found = rows.where(rows.equal(x, xp[-1]), fp[-1], found)
    found = rows.where(rows.less(x, xp[0]), fp[0] if left is None else left, found)
    return rows.where(rows.greater(x, xp[-1]), fp[-1] if right is None else right, found)


@implements("polyval")
def polyval(p, x):
    p, x = operand(p), operand(x)
    need(p.ndim == 1)
    value = rows.multiply(x, 0)
    for coefficient in p:
        value = rows.add(rows.multiply(value, x), coefficient)
    return value


@implements("vander")
def vander(x, N=None, increasing=False):
    x = operand(x)
    need(x.ndim == 1)
    powers = np.arange(x.size if N is None else N)
    return rows.pow(x[:, None], beside(x, powers if increasing else powers[::-1]))


@implements("polyfit")
def polyfit(x, y, deg, rcond=None, full=False, w=None, cov=False):
    x, y = (_numd.asarray(operand(part), "float64") for part in (x, y))
    need(np.ndim(deg) == 0 and deg >= 0 and not full and w is None and not cov)
    need(x.ndim == 1 and x.size and y.shape[:1] == x.shape and y.ndim < 3)
    powers = vander(x, int(deg) + 1)
    lengths = rows.sqrt(rows.sum(rows.multiply(powers, powers), axis=0))
    scaled = rows.divide(powers, lengths)
    found, _, rank, _ = rows.lstsq(scaled, y, rtol=x.size * np.finfo(float).eps if rcond is None else rcond)
    need(int(rank) == deg + 1)  # NumPy warns
    return rows.divide(found, lengths if y.ndim == 1 else lengths[:, None])


@implements("linspace")
def linspace(start, stop, num=50, endpoint=True, retstep=False, dtype=None, axis=0, *, device=None):
    start, stop = operand(start), operand(stop)
    need(start.ndim == stop.ndim == 0 and not retstep and axis in (0, -1))
    return _create.linspace(start.item(), stop.item(), num, dtype, endpoint)


# ---- Borders


@implements("pad")
def pad(array, pad_width, mode="constant", *, constant_values=0, reflect_type="even"):
    array = operand(array)
    need(mode in ("constant", "edge", "reflect", "symmetric", "wrap") and reflect_type == "even")
    need(not isinstance(pad_width, dict) and (np.ndim(constant_values) == 0))
    widths = np.broadcast_to(np.asarray(pad_width), (array.ndim, 2)).tolist()
    if any(width < 0 for pair in widths for width in pair):
        raise ValueError("index can't contain negative values")
    if mode == "constant":
        shape = tuple(before + n + after for n, (before, after) in zip(array.shape, widths))
        padded = like(array, None, None, shape)
        padded[...] = constant_values
        padded[tuple(slice(before, before + n) for n, (before, _) in zip(array.shape, widths))] = array
        return padded
    for axis, pair in enumerate(widths):
        n = array.shape[axis]
        index = np.pad(np.arange(n), pair, mode=mode)  # which element stands where
        borders = [(0, index[: pair[0]]), (2, index[pair[0] + n :])]
        parts = [array]
        for place, border in borders:
            if border.size:
                parts.insert(place, rows.take(array, beside(array, border), axis=axis))
        array = rows.concat(*parts, axis=axis) if len(parts) > 1 else array
    return array


# ---- Windows


@implements("lib.stride_tricks.sliding_window_view")
def sliding_window_view(x, window_shape, axis=None, *, subok=False, writeable=False):
    x = operand(x)
    view = np.lib.stride_tricks.sliding_window_view(np.asarray(x), window_shape, axis)
    return _numd._view(x, 0, view.shape, view.strides, x.dtype)


@implements("convolve")
def convolve(a, v, mode="full"):
    a, v = operand(a), operand(v)
    if v.size > a.size:
        a, v = v, a
    return windowed(a, v[::-1], mode)


@implements("correlate")
def correlate(a, v, mode="valid"):
    a, v = operand(a), operand(v)
    need(v.size <= a.size)
    return windowed(a, rows.conj(v) if v.dtype.kind == "c" else v, mode)


def windowed(a, weights, mode):
    """Products of the weights with all windows of a, of which those at the ends reach beyond it."""
    need(a.ndim == weights.ndim == 1 and weights.size and mode in ("full", "same", "valid"))
    dtype = _numd.result_type(a, weights)
    need(dtype.kind in "iufc")
    beyond = weights.size - 1
    same = (weights.size // 2, (weights.size - 1) // 2)
    before, after = {"full": (beyond, beyond), "same": same, "valid": (0, 0)}[mode]
    a = pad(_numd.asarray(a, dtype), (before, after)) if before or after else _numd.asarray(a, dtype)
    return rows.matmul(sliding_window_view(a, weights.size), _numd.asarray(weights, dtype))


# ---- Slopes and areas


@implements("gradient")
def gradient(f, *varargs, axis=None, edge_order=1):
    f = operand(f)
    axes = [axis_of(one, f.ndim) for one in (range(f.ndim) if axis is None else as_tuple(axis))]
    spacings = varargs * len(axes) if len(varargs) == 1 else varargs or (1.0,) * len(axes)
    need(edge_order == 1 and len(spacings) == len(axes) and f.dtype.kind != "u")
    need(all(f.shape[one] > 1 for one in axes))
    f = f if f.dtype.kind in "fc" else rows.astype(f, dtype="float64")
    slopes = [slope(moveaxis(f, one, -1), spacing, f) for one, spacing in zip(axes, spacings)]
    slopes = [moveaxis(result, -1, one) for one, result in zip(axes, slopes)]
    several = list if NUMPY_1 else tuple
    return slopes[0] if len(slopes) == 1 else several(slopes)


def slope(f, spacing, beside_this):
    """Along the last axis: central differences, and one-sided ones at both ends."""
    spacing = operand(spacing)
    need(spacing.ndim == 0 or spacing.shape == f.shape[-1:])
    result = like(beside_this, None, f.dtype, f.shape)
    if spacing.ndim:
        steps = rows.diff(spacing)
        before, after = steps[:-1], steps[1:]
        both = rows.add(before, after)
        weights = (
            rows.negative(rows.divide(after, rows.multiply(before, both))),
            rows.divide(rows.subtract(after, before), rows.multiply(before, after)),
            rows.divide(before, rows.multiply(after, both)),
        )
        parts = [rows.multiply(w, part) for w, part in zip(weights, (f[..., :-2], f[..., 1:-1], f[..., 2:]))]
        result[..., 1:-1] = rows.add(rows.add(parts[0], parts[1]), parts[2])
        first, last = steps[0], steps[-1]
    else:
        result[..., 1:-1] = rows.divide(rows.subtract(f[..., 2:], f[..., :-2]), rows.multiply(spacing, 2))
        first = last = spacing
    result[..., 0] = rows.divide(rows.subtract(f[..., 1], f[..., 0]), first)
    result[..., -1] = rows.divide(rows.subtract(f[..., -1], f[..., -2]), last)
    return result


@implements("trapezoid", "trapz")
def trapezoid(y, x=None, dx=1.0, axis=-1):
    y = moveaxis(y, axis, -1)
    widths = dx
    if x is not None:
        x = operand(x)
        widths = rows.diff(x if x.ndim == 1 else moveaxis(x, axis, -1))
    areas = rows.multiply(rows.divide(rows.add(y[..., 1:], y[..., :-1]), 2), widths)
    return rows.sum(areas, axis=-1)
