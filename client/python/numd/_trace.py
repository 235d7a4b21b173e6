"""Tracing: a Python function is run once on stand-ins that record what it does.

A `Graph` collects the values of the program in order; a `Tracer` is the number of one of them and its
shape. Operators, the functions of numd, and NumPy's functions of the same names all end in
`Graph.apply`. The extension turns the record into a program.

Shapes are followed here because axes count from the end, and because a result without dimensions comes
back as a Python scalar; dtypes are left to the daemon.
"""

import operator
import sys

import numpy as np

from . import _numd

OPS = {name: (number, kind, n_in, typing) for number, name, kind, n_in, typing, _, _ in _numd._ops}

# NumPy's names for operations that have another one here.
NUMPY_NAMES = {"absolute": "abs", "true_divide": "divide", "amax": "max", "amin": "min", "positive": "copy"}


def trace(function, args):
    """Run the function; the answer is what plan.c documents."""
    graph = Graph()
    traced = function(*[graph.argument(arg) for arg in args])
    is_tuple = isinstance(traced, (tuple, list))
    outputs = graph.outputs(traced if is_tuple else (traced,))
    no_dims = tuple(output.shape == () for output in outputs)
    nodes, numbers = leaves_first(graph.nodes)
    return nodes, tuple(graph.captured), tuple(numbers[o._number] for o in outputs), no_dims, is_tuple


def leaves_first(nodes):
    """The nodes in the order that a program wants, and the new number of each old one."""
    order = sorted(range(len(nodes)), key=lambda i: nodes[i][0] == "op")
    numbers = {old: new for new, old in enumerate(order)}

    def renumbered(node):
        return node[:2] + (tuple(numbers[i] for i in node[2]),) + node[3:] if node[0] == "op" else node

    return tuple(renumbered(nodes[i]) for i in order), numbers


def where_called():
    """File and line of the traced function that is at work."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename == __file__:
        frame = frame.f_back
    return f"{frame.f_code.co_filename}, line {frame.f_lineno}"


def refuse(what):
    raise TypeError(f"{what} ({where_called()})")


class Graph:
    """The values of a program, as they are made."""

    def __init__(self):
        self.nodes = []
        self.captured = []
        self.known = {}  # id of a captured array: its tracer

    def add(self, node, shape):
        self.nodes.append(node)
        return Tracer(self, len(self.nodes) - 1, shape)

    def argument(self, arg):
        if isinstance(arg, _numd.Array):
            return self.add(("input", arg), arg.shape)
        return self.add(("scalar", arg), ())

    def value(self, operand):
        """The tracer for anything that an operation may be given."""
        if isinstance(operand, Tracer):
            if operand._graph is not self:
                refuse("a traced value was kept and used after its function ended")
            return operand
        if isinstance(operand, (bool, int, float)) and not isinstance(operand, np.generic):
            return self.add(("constant", operand), ())
        return self.capture(operand)

    def capture(self, operand):
        array = _numd.asarray(operand)
        if id(array) not in self.known:
            self.captured.append(array)  # and kept, so that the id stays its own
            self.known[id(array)] = self.add(("input", array), array.shape)
        return self.known[id(array)]

    def apply(self, name, operands, axes=None, keepdims=False, dtype=None):
        values = [self.value(operand) for operand in operands]
        number, kind, n_in, _ = OPS[name]
        if len(values) != n_in:
            refuse(f"{name}() takes {n_in} operands, not {len(values)}")
        shape = result_shape(name, kind, [value.shape for value in values], axes, keepdims)
        numbers = tuple(value._number for value in values)
        return self.add(("op", number, numbers, axes, keepdims, dtype), shape)

    def outputs(self, traced):
        """An output is the result of an operation and of nothing else, so some need a copy."""
        seen = set()
        outputs = []
        for item in traced:
            output = self.value(item)
            if self.nodes[output._number][0] != "op" or output._number in seen:
                output = self.apply("copy", [output])
            seen.add(output._number)
            outputs.append(output)
        return outputs


def result_shape(name, kind, shapes, axes, keepdims):
    try:
        if kind == "MAP":
            return np.broadcast_shapes(*shapes)
        if kind == "REDUCE":
            return reduced_shape(shapes[0], axes, keepdims)
        return product_shape(name, *shapes)
    except (ValueError, IndexError):
        text = " and ".join(map(str, shapes))
        raise ValueError(f"{name}(): shapes {text} do not match ({where_called()})") from None


def reduced_shape(shape, axes, keepdims):
    def reduced(axis):
        return axes is None or axes >> axis & 1

    if keepdims:
        return tuple(1 if reduced(i) else length for i, length in enumerate(shape))
    return tuple(length for i, length in enumerate(shape) if not reduced(i))


def product_shape(name, a, b):
    if a[-1] != b[-2 if len(b) > 1 else 0]:
        raise ValueError
    if name == "dot":
        return a[:-1] + b[:-2] + (b[-1:] if len(b) > 1 else ())
    rows, columns = a[-2:-1], b[-1:] if len(b) > 1 else ()
    return np.broadcast_shapes(a[:-2], b[:-2]) + rows + columns


def axes_mask(axis, ndim):
    """None, an int or a tuple of ints as the bit mask of the extension; None means all."""
    if axis is None:
        return None
    mask = 0
    for item in axis if isinstance(axis, tuple) else (axis,):
        number = operator.index(item)
        if not -ndim <= number < ndim:
            raise ValueError(f"axis {number} is out of bounds for an array of dimension {ndim}")
        bit = 1 << number % ndim
        if mask & bit:
            raise ValueError(f"axis {number} is given twice")
        mask |= bit
    return mask


def binary(name, reflected=False):
    def method(self, other):
        if other is None or isinstance(other, (str, bytes)):
            return NotImplemented
        return self._graph.apply(name, (other, self) if reflected else (self, other))

    return method


def unary(name):
    return lambda self: self._graph.apply(name, (self,))


class Tracer:
    """Stands for an array, or for a scalar argument, while a function is being traced."""

    __slots__ = ("_graph", "_number", "shape")
    __hash__ = None
    __array_priority__ = 2000

    def __init__(self, graph, number, shape):
        self._graph = graph
        self._number = number
        self.shape = shape

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
    __pow__, __rpow__ = binary("power"), binary("power", True)
    __matmul__, __rmatmul__ = binary("matmul"), binary("matmul", True)
    __eq__, __ne__ = binary("equal"), binary("not_equal")
    __lt__, __le__ = binary("less"), binary("less_equal")
    __gt__, __ge__ = binary("greater"), binary("greater_equal")
    __neg__, __pos__, __abs__ = unary("negative"), unary("copy"), unary("abs")

    def astype(self, dtype, copy=True):
        return self._graph.apply("astype", (self,), dtype=np.dtype(dtype))

    def copy(self):
        return self._graph.apply("copy", (self,))

    def __numd_apply__(self, name, args, kwargs):
        """A function of numd was called with a tracer among its operands."""
        _, kind, n_in, _ = OPS[name]
        operands, rest = args[:n_in], args[n_in:]
        if kwargs.pop("out", None) is not None or (rest and kind != "REDUCE" and name != "astype"):
            refuse("out= cannot be used in a function that is being traced")
        dtype = kwargs.get("dtype", rest[0] if rest and name == "astype" else None)
        dtype = None if dtype is None else np.dtype(dtype)
        if kind != "REDUCE":
            return self._graph.apply(name, operands, dtype=dtype)
        axis = kwargs.get("axis", rest[0] if rest else None)
        axes = axes_mask(axis, self._graph.value(operands[0]).ndim)
        return self._graph.apply(name, operands, axes, bool(kwargs.get("keepdims")), dtype)

    def __array_ufunc__(self, ufunc, method, *inputs, **kwargs):
        name = NUMPY_NAMES.get(ufunc.__name__, ufunc.__name__)
        if method != "__call__" or kwargs or name not in OPS:
            return NotImplemented
        return self._graph.apply(name, inputs)

    def __array_function__(self, function, types, args, kwargs):
        name = NUMPY_NAMES.get(function.__name__, function.__name__)
        if name not in OPS:
            return NotImplemented
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        return getattr(_numd, name)(*args, **kwargs)

    def __bool__(self):
        refuse("a traced value is not known yet, so it cannot decide an `if` or `while`: use numd.where")

    def __int__(self):
        refuse("a traced value is not known yet, so it cannot become a Python number")

    __float__ = __index__ = __int__

    def __array__(self, *args, **kwargs):
        refuse("a traced value is not known yet, so it cannot become a NumPy array")

    def __getitem__(self, key):
        refuse("a traced value cannot be indexed: index the array before the call")

    def __setitem__(self, key, value):
        refuse("a traced value cannot be assigned to: use numd.where")

    def __iter__(self):
        refuse("a traced value cannot be iterated over")

    def __repr__(self):
        return f"<traced value of shape {self.shape}>"


def method(name):
    def call(self, *args, **kwargs):
        return getattr(_numd, name)(self, *args, **kwargs)

    call.__name__ = name
    return call


# Reductions and products are methods of an Array; so they are of its stand-in.
for _name, (_, _kind, _, _) in OPS.items():
    if _kind != "MAP":
        setattr(Tracer, _name, method(_name))
