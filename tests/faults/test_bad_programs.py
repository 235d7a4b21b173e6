# SPDX-License-Identifier: BSD-3-Clause
"""Programs and bindings that are wrong: each is refused with a sentence that names the place."""

import numpy as np
import pytest
from clients import BYTES, N, attach, refused
from stranger import Refused, add_program, operand, program


F = operand("float64", 4)
OUT = [[1, {}]]


@pytest.mark.parametrize("prog, name, sentence", [
    ([], "EPROTOCOL", "program: a map is wanted"),
    ({"operands": []}, "EPROTOCOL", "ops: an array is wanted"),
    ({"operands": [], "ops": [], "outputs": [], "x": 1}, "EPROTOCOL", "program: unknown key 'x'"),
    (program([F], [], []), "EINVAL", "outputs: at least one is needed"),
    (program([F] * 65, [], [[0, {}]]), "ELIMIT", "operands: more than 64 entries"),
    (program([F] * 64, [], [[0, {}]]), "ELIMIT", "program: more than 64 bindings"),
    (program([F], [["abs", [0]]] * 257, OUT), "ELIMIT", "ops: more than 256 entries"),
    (program([F], [["fooo", [0], {}]], OUT), "EOP", "ops[0]: unknown operation 'fooo'"),
    (program([F], [["abs", [0], {}]] * 3 + [["fooo", [0], {}]], OUT), "EOP", "ops[3]: unknown operation 'fooo'"),
    (program([F], [["abs", [1], {}]], OUT), "EINVAL", "ops[0].inputs[0]: value 1 is not defined before it"),
    (program([F], [["abs", [-1], {}]], OUT), "EPROTOCOL", "ops[0].inputs[0]: the number of a value is wanted"),
    (program([F], [["add", [0], {}]], OUT), "EINVAL", "ops[0]: 'add' takes 2 inputs, not 1"),
    (program([F], [["abs", [0], {"colour": 1}]], OUT), "EPROTOCOL", "ops[0].params: unknown key 'colour'"),
    (program([F], [["abs", [0], {"axis": 1}]], OUT), "EINVAL", "ops[0].params: 'abs' takes no axis"),
    (program([F], [["sort", [0], {"axis": 16}]], OUT), "EINVAL", "ops[0].params.axis: 16 is out of range"),
    (program([F], [["sort", [0], {"descending": 1}]], OUT), "EPROTOCOL",
     "ops[0].params.descending: true or false is wanted"),
    (program([F], [["var", [0], {"correction": float("nan")}]], OUT), "EINVAL",
     "ops[0].params.correction: not a number"),
    (program([F], [["reshape", [0], {"shape": [1] * 17}]], OUT), "ELIMIT",
     "ops[0].params.shape: more than 16 integers"),
    (program([F], [["concat", [0] * 17, {}]], OUT), "EINVAL", "ops[0]: 'concat' takes 1 to 16 inputs, not 17"),
    (program([F], [["concat", [], {}]], OUT), "EINVAL", "ops[0]: 'concat' takes 1 to 16 inputs, not 0"),
    (program([F], [["abs", [0], {"axes": [0]}]], OUT), "EINVAL", "ops[0].params: 'abs' takes no axes"),
    (program([F], [["abs", [0], {"dtype": "int64"}]], OUT), "EINVAL", "ops[0].params: 'abs' takes no dtype"),
    (program([F], [["sum", [0], {"axes": [-1]}]], OUT), "EINVAL",
     "ops[0].params.axes: each axis must be given once, from 0 to 15"),
    (program([F], [["sum", [0], {"axes": [0, 0]}]], OUT), "EINVAL",
     "ops[0].params.axes: each axis must be given once, from 0 to 15"),
    (program([F], [["sum", [0], {"dtype": "float16"}]], OUT), "EDTYPE",
     "ops[0].params.dtype: unknown dtype 'float16'"),
    (program([operand("complex256", 4)], [], [[0, {}]]), "EDTYPE", "operands[0]: unknown dtype 'complex256'"),
    (program([["scalar", "int32"]], [], [[0, {}]]), "EDTYPE",
     "operands[0]: a scalar is bool, int64, uint64 or float64"),
    (program([["scalar", "complex128"]], [], [[0, {}]]), "EDTYPE",
     "operands[0]: a scalar is bool, int64, uint64 or float64"),
    (program([["constant", "int64", 1.5]], [], [[0, {}]]), "EPROTOCOL", "operands[0]: an integer is wanted"),
    (program([["constant", "uint64", -1]], [], [[0, {}]]), "ERANGE", "operands[0]: -1 does not fit uint64"),
    (program([["list", "int64"]], [], [[0, {}]]), "EPROTOCOL",
     'operands[0]: ["array", layout], ["scalar", dtype], ["weak", dtype] or ["constant", dtype, value] is wanted'),
    (program([operand("float64", *[1] * 17)], [], [[0, {}]]), "ELIMIT", "operands[0]: more than 16 dimensions"),
    (program([operand("float64", -1)], [], [[0, {}]]), "EINVAL", "operands[0]: dimension 0 is negative"),
    (program([operand("float64", 1 << 63)], [], [[0, {}]]), "EPROTOCOL",
     "operands[0]: an integer of 64 bits is wanted"),
    (program([operand("float64", 1 << 60)], [], [[0, {}]]), "EINVAL",
     "operands[0]: the array is larger than 2^62 bytes"),
    (program([operand("float64", 1 << 40, 1 << 40)], [], [[0, {}]]), "EINVAL",
     "operands[0]: the array is larger than 2^62 bytes"),
    (program([operand("float64", 1 << 32, 1 << 32, strides=[0, 0])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[-(1 << 63)])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[1 << 62])], [], [[0, {}]]), "EINVAL",
     "operands[0]: shape and strides reach beyond 2^62 bytes"),
    (program([operand("float64", 3, strides=[8, 8])], [], [[0, {}]]), "EPROTOCOL",
     "operands[0]: strides must be nil or an array as long as the shape"),
    (program([F], [], [[5, {}]]), "EINVAL", "outputs[0]: there is no value 5"),
    (program([operand("float64", 2, 2)], [["slogdet", [0]]], [[3, {}]]), "EINVAL", "outputs[0]: there is no value 3"),
    (program([operand("float64", 2, 2)], [["svd", [0]], ["abs", [4]]], [[4, {}]]), "EINVAL",
     "ops[1].inputs[0]: value 4 is not defined before it"),
    (program([F], [], [[0, {"shape": [4]}]]), "EINVAL", "outputs[0]: a shape without a dtype"),
    (program([F], [], [[0, {"strides": [8]}]]), "EINVAL", "outputs[0]: strides without a shape"),
    (program([F], [["sum", [0]]], [[1, {"result": True}], [1, {"result": True}]]), "EINVAL",
     "outputs[1]: one result a program, and it has no shape"),
])
def test_programs(daemon, prog, name, sentence):
    with daemon.connect() as c:
        refused(c, name, sentence, "prepare", 0, prog)


@pytest.mark.parametrize("prog, name", [
    (program([F, operand("float64", 5)], [["add", [0, 1], {}]], [[2, {}]]), "ESHAPE"),
    (program([F], [["sum", [0], {"axes": [3]}]], OUT), "ESHAPE"),
    (program([operand("bool", 4)], [["negative", [0], {}]], OUT), "EDTYPE"),
    (program([F], [["exp", [0], {}]], [[1, {"dtype": "int32"}]]), "ECAST"),
    (program([F], [["exp", [0], {}]], [[1, {"result": True}]]), "ESHAPE"),
    (program([operand("float64", 4, strides=[4])], [["exp", [0], {}]], OUT), "EALIGN"),
])
def test_programs_that_do_not_fit(daemon, prog, name):
    with daemon.connect() as c:
        with pytest.raises(Refused) as e:
            c.request("prepare", 0, prog)
        assert e.value.name == name, e.value


HUGE_SETS = [(1 << 58) - (1 << 38) * k + (1 << 14) for k in range(40, 136, 8)]


@pytest.mark.parametrize("prog", [
    *(program([F, operand("float64", n, strides=[0])], [["isin", [0, 1], {}]] * 4, [[2 + i, {}] for i in range(4)])
      for n in HUGE_SETS),
    program([operand("uint8", 3 << 48, 2, strides=[0, 0]), operand("int64", 4000, strides=[0]), operand("uint8", 1)],
            [["put", [0, 1, 2], {"axis": 1}]], [[3, {}]]),
    *(program([operand("float64", 1 << 57, strides=[0])], [[name, [0], {}]], OUT)
      for name in ("sort", "argsort", "cumulative_sum", "unique_values", "nonzero", "argmax")),
    *(program([operand("float64", 1 << 28, 1 << 28, strides=[0, 0])], [[name, [0], {}]], OUT)
      for name in ("inv", "svdvals", "det", "cholesky", "eigh")),
], ids=lambda prog: f"{prog['ops'][0][0]}")
def test_arrays_that_repeat_one_element_too_often(daemon, prog):
    """Strides of 0 make an array of any size: sizes that do not fit must be noticed before they are used."""
    with daemon.connect() as c:
        try:
            c.request("prepare", 0, prog)
        except Refused as refusal:
            assert refusal.name in ("ESHAPE", "ELIMIT", "ENOMEMORY", "EINVAL"), refusal
        c.request("ping")


def test_bindings(daemon):
    with daemon.connect() as c:
        data = attach(c)
        c.request("prepare", 0, add_program(N))
        good, where = [0, 0], "[segment, offset] is wanted"
        for bindings, name, sentence in [
            ([good, good], "EINVAL", "bindings: the plan wants 3, not 2"),
            ({}, "EPROTOCOL", "bindings: an array is wanted"),
            ([good, 5, good], "EPROTOCOL", f"bindings[1]: {where}"),
            ([good, [0], good], "EPROTOCOL", f"bindings[1]: {where}"),
            ([good, [9, 0], good], "ESEGMENT", "bindings[1]: no such segment"),
            ([good, [4096, 0], good], "ESEGMENT", "bindings[1]: there is no segment 4096"),
            ([good, [0, 1 << 48], good], "EBOUNDS", f"bindings[1]: offset {1 << 48} leaves the segment"),
            ([good, good, [0, BYTES]], "EBOUNDS", "bindings[2]: operand leaves its segment"),
            ([good, good, [0, BYTES - 8 * N + 8]], "EBOUNDS", "bindings[2]: operand leaves its segment"),
            ([good, [0, 4], good], "EALIGN", "bindings[1]: operand is not aligned to its item size"),
            ([good, [0, -8], good], "EPROTOCOL",
             f"bindings[1]: an integer from 0 to {(1 << 64) - 1} is wanted"),
        ]:
            refused(c, name, sentence, "call", 0, bindings)
        assert bytes(data) == bytes(BYTES)
        assert c.request("call", 0, [good, good, [0, BYTES - 8 * N]]) is None


@pytest.mark.parametrize("stride", [0, 8, 2**40, 2**62, 2**63 - 1, -(2**63)])
def test_strides_that_lead_nowhere_may_be_any_number(daemon, stride):
    x = np.arange(40.0)
    with daemon.connect() as c:
        data = attach(c)
        data[: x.nbytes] = x.tobytes()
        row, column = operand("float64", 1, 40, strides=[stride, 8]), operand("float64", 40, 1, strides=[8, stride])
        c.request("prepare", 1, program([row, column], [["matmul", [0, 1], {}]], [[2, {}]]))
        c.request("call", 1, [[0, 0], [0, 0], [0, 4096]])
        assert np.frombuffer(bytes(data[4096:4104])) == x @ x
        for plan, shape in enumerate([(1, 1), (0, 5), (2**40, 0)], 2):
            one = operand("float64", *shape, strides=[stride, stride])
            ops = [["flip", [0], {}], ["matrix_transpose", [1], {}], ["slice", [2], {
                "start": [0, 0], "step": [2**62, 2**62], "shape": [min(n, 1) for n in shape[::-1]]}]]
            c.request("prepare", plan, program([one], ops, [[3, {}]]))
            c.request("call", plan, [[0, 8], [0, 4096]])
        assert np.frombuffer(bytes(data[4096:4104])) == x[1]
