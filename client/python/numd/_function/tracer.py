# SPDX-License-Identifier: BSD-3-Clause
"""What stands for an array, or for a number among the arguments, while a function is being traced.

A `Tracer` is the number of a value of a `Graph`, its shape and its dtype. Operators, the functions of numd, and
NumPy's functions of the same names all end in `Graph.apply`; what cannot be recorded is refused by a TraceError.
"""

import operator

import numpy as np

from .._errors import refuse, where_called
from .._numpy import dispatch, methods, ufuncs
from .._standard.operations import OPS
from .._standard.rows import rows
from .._standard.shape import matrix_transpose, permute_dims, reshape


def index_parts(items, shape):
    """The first index, the step and the length along each axis, and the shape that is left of them."""
    n_axes = sum(item is not None and item is not Ellipsis for item in items)
    if n_axes > len(shape):
        raise IndexError(f"{n_axes} indices for a value of dimension {len(shape)} ({where_called()})")
    if not any(item is Ellipsis for item in items):
        items += (Ellipsis,)
    start, step, lengths, kept = [], [], [], []
    for item in items:
        if item is None:
            kept.append(1)
            continue
        axes = len(shape) - n_axes if item is Ellipsis else 1
        for _ in range(axes):
            part = index_part(slice(None) if item is Ellipsis else item, shape[len(start)])
            start.append(part[0])
            step.append(part[1])
            lengths.append(part[2])
            kept += part[2:] if isinstance(item, slice) or item is Ellipsis else ()
    return tuple(start), tuple(step), tuple(lengths), tuple(kept)


def index_part(item, length):
    if isinstance(item, slice):
        first, stop, step = item.indices(length)
        return first if range(first, stop, step) else 0, step, len(range(first, stop, step))
    if isinstance(item, (Tracer, bool)) or not hasattr(item, "__index__"):
        refuse("an index in a traced function is an int, a slice, Ellipsis or None: use numd.take or numd.where")
    number = operator.index(item)
    if not -length <= number < length:
        raise IndexError(f"index {number} is out of bounds for {length} elements ({where_called()})")
    return number % length, 1, 1


def binary(name, reflected=False):
    def method(self, other):
        if other is None or isinstance(other, (str, bytes)):
            return NotImplemented
        return self._graph.apply(name, (other, self) if reflected else (self, other))

    return method


def unary(name):
    return lambda self: self._graph.apply(name, (self,))


class Tracer:
    """Stands for an array, or for a number among the arguments, while a function is being traced."""

    __slots__ = ("_graph", "_number", "_sample", "shape", "dtype")
    __hash__ = None
    __array_priority__ = 2000

    def __init__(self, graph, number, shape, dtype, sample):
        self._graph = graph
        self._number = number
        self._sample = sample  # a Python number of its kind, if it is weak
        self.shape = shape
        self.dtype = dtype

    @property
    def _weak(self):
        return self.dtype if self._sample is None else self._sample

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def size(self):
        size = 1
        for length in self.shape:
            size *= length
        return size

    def __len__(self):
        if not self.shape:
            raise TypeError("a value without dimensions has no len()")
        return self.shape[0]

    __add__, __radd__ = binary("add"), binary("add", True)
    __sub__, __rsub__ = binary("subtract"), binary("subtract", True)
    __mul__, __rmul__ = binary("multiply"), binary("multiply", True)
    __truediv__, __rtruediv__ = binary("divide"), binary("divide", True)
    __pow__, __rpow__ = binary("pow"), binary("pow", True)
    __floordiv__, __rfloordiv__ = binary("floor_divide"), binary("floor_divide", True)
    __mod__, __rmod__ = binary("remainder"), binary("remainder", True)
    __and__, __rand__ = binary("bitwise_and"), binary("bitwise_and", True)
    __or__, __ror__ = binary("bitwise_or"), binary("bitwise_or", True)
    __xor__, __rxor__ = binary("bitwise_xor"), binary("bitwise_xor", True)
    __lshift__, __rlshift__ = binary("bitwise_left_shift"), binary("bitwise_left_shift", True)
    __rshift__, __rrshift__ = binary("bitwise_right_shift"), binary("bitwise_right_shift", True)
    __matmul__, __rmatmul__ = binary("matmul"), binary("matmul", True)
    __eq__, __ne__ = binary("equal"), binary("not_equal")
    __lt__, __le__ = binary("less"), binary("less_equal")
    __gt__, __ge__ = binary("greater"), binary("greater_equal")
    __neg__, __pos__, __abs__ = unary("negative"), unary("positive"), unary("abs")
    __invert__ = unary("bitwise_invert")

    def __divmod__(self, other):
        return self // other, self % other

    def __rdivmod__(self, other):
        return other // self, other % self

    def astype(self, dtype, copy=True):
        return self._graph.apply("astype", (self,), {"dtype": np.dtype(dtype)})

    def copy(self):
        return self._graph.apply("copy", (self,))

    def reshape(self, *shape):
        return reshape(self, shape[0] if len(shape) == 1 else shape)

    def transpose(self, *axes):
        axes = axes[0] if len(axes) == 1 and not hasattr(axes[0], "__index__") else axes
        return permute_dims(self, axes or None)

    def flatten(self):
        return reshape(self, (-1,))

    @property
    def itemsize(self):
        return self.dtype.itemsize

    @property
    def nbytes(self):
        return self.size * self.itemsize

    @property
    def T(self):
        return permute_dims(self)

    @property
    def mT(self):
        return matrix_transpose(self)

    @property
    def real(self):
        return rows.real(self)

    @property
    def imag(self):
        return rows.imag(self)

    @property
    def flat(self):
        refuse("a traced value has no .flat: use reshape(-1)")

    def __numd_apply__(self, name, args, kwargs):
        """A function of the extension was called with a tracer among its operands."""
        op = OPS[name]
        n = len(args) if op.n_inputs < 0 else op.n_inputs
        operands, rest, kwargs = args[:n], args[n:], dict(kwargs)
        if rest:
            kwargs["dtype" if name == "astype" else "axis" if "axis" in op.parameters else "out"] = rest[0]
        if kwargs.pop("out", None) is not None:
            refuse("out= cannot be used in a function that is being traced: assign the result to the name")
        return self._graph.apply(name, operands, kwargs)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        return ufuncs.call(ufunc, method, inputs, kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return dispatch.call(function, types, args, kwargs)

    def __getitem__(self, key):
        """Ints, slices, Ellipsis and None, as of an Array."""
        start, step, shape, kept = index_parts(key if isinstance(key, tuple) else (key,), self.shape)
        part = self
        if (start, shape) != ((0,) * self.ndim, self.shape) or any(one != 1 for one in step):
            part = self._graph.apply("slice", (self,), {"start": start, "step": step, "shape": shape})
        return part if kept == shape else self._graph.apply("reshape", (part,), {"shape": kept})

    def __bool__(self):
        refuse(
            "a traced value is not known yet, so it cannot decide an `if`, `while`, `and` or `or`: use numd.where and "
            "numd.logical_and, or name a number among the arguments in static="
        )

    def __int__(self):
        refuse(
            "a traced value is not known yet, so it cannot become a Python number or a length: leave it as it is, or "
            "name a number among the arguments in static="
        )

    __float__ = __index__ = __complex__ = __int__

    def item(self, *args):
        self.__int__()

    tolist = item

    def __array__(self, *args, **kwargs):
        refuse("a traced value is not known yet, so it cannot become a NumPy array: use a function of numd")

    def __setitem__(self, key, value):
        refuse("a traced value cannot be assigned to: use numd.where, which gives a new one")

    def fill(self, value):
        self.__setitem__(..., value)

    def __iter__(self):
        refuse("a traced value cannot be iterated over: use x[i] for i in range(len(x)), or operations on all of it")

    def __contains__(self, value):
        refuse("a traced value is not known yet, so `in` has no answer: use numd.any(x == value)")

    def __repr__(self):
        return f"<traced value: {self.dtype} of shape {self.shape}>"


def method(function):
    def call_it(self, *args, **kwargs):
        return function(self, *args, **kwargs)

    return call_it


def in_place(name, instead):
    def refuse_it(self, *args, **kwargs):
        refuse(f"{name}() of a traced value would change it in place: use {instead}")

    return refuse_it


# As of an Array, and as of an ndarray.
for _name, _op in OPS.items():
    if _op.kind in ("REDUCE", "SCAN"):
        setattr(Tracer, _name, method(getattr(rows, _name)))
for _name in [*methods.THROUGH, "clip"]:
    setattr(Tracer, _name, getattr(methods, _name))
for _name, _instead in [("sort", "numd.sort"), ("resize", "numd.reshape"), ("put", "numd.put")]:
    setattr(Tracer, _name, in_place(_name, _instead))
