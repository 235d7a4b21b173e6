# SPDX-License-Identifier: BSD-3-Clause
"""Measures one case at one dtype and size: numd and NumPy in turns, after their results were compared."""
import math
import re
from dataclasses import dataclass

import numpy as np

from bench.harness import garbage, rounds, runner
from bench.harness.rounds import Wrong
from bench.kernels import kernel_cases as cases
from bench.numbers.stats import percentile
from bench.subjects.way import Call

SLOW_NS = 600_000_000     # a pair of calls that takes longer gets one round beside the compared calls
BLOCK = 1 << 15           # elements that are compared at a time
ULPS = {"f": 16, "c": 32}
PART_OF_SCALE = {4: 2e-3, 8: 1e-9}  # bytes of a real -> error allowed, as part of the largest element


class NoNumpy(Exception):
    """NumPy has nothing to compare with."""


@dataclass(frozen=True)
class Operation:
    """What the benchmark wants to know of a row of numd.ops()."""
    name: str
    group: str
    typing: str
    kinds: str
    fast: str


# ---- Comparing

def plain(value):
    """A result as NumPy arrays: one, or a list of them."""
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    return np.asarray(value)


def real_bytes(dtype):
    return dtype.itemsize // 2 if dtype.kind == "c" else dtype.itemsize


def allowed(wanted, how, least):
    """The greatest error allowed, an array or a number. `least`: the coarser of the two dtypes."""
    if how == cases.EXACT or least.kind not in "fc":
        return 0
    if how == cases.SCALE:
        finite = wanted[np.isfinite(wanted)]
        return PART_OF_SCALE[real_bytes(least)] * float(np.abs(finite).max() if finite.size else 0)
    return ULPS[least.kind] * float(np.finfo(least).eps) * np.abs(wanted) + float(np.finfo(least).tiny)


def differs(got, wanted, how):
    """Where two flat arrays differ by more than allowed. NaN equals NaN."""
    least = min(got.dtype, wanted.dtype, key=real_bytes) if got.dtype.kind == wanted.dtype.kind else got.dtype
    bad = ~((got == wanted) | ((got != got) & (wanted != wanted)))
    if bad.any() and how != cases.EXACT and least.kind in "fc":
        bad &= ~(np.abs(got - wanted) <= allowed(wanted, how, least))
    return bad


def compare_arrays(got, wanted, how):
    """None if they are alike, else a sentence."""
    if got.shape != wanted.shape:
        return f"shape {got.shape} instead of {wanted.shape}"
    got, wanted = got.reshape(-1), wanted.reshape(-1)
    block = BLOCK if how != cases.SCALE else max(1, got.size)
    for start in range(0, got.size, block):
        part = slice(start, start + block)
        bad = differs(got[part], wanted[part], how)
        if bad.any():
            at = start + int(np.argmax(bad))
            return f"element {at} of {got.size} is {got[at]!r} instead of {wanted[at]!r}"
    return None


def compare(got, wanted, how):
    if isinstance(got, list) != isinstance(wanted, list):
        return "one array where there should be several, or the reverse"
    if not isinstance(got, list):
        return compare_arrays(got, wanted, how)
    if len(got) != len(wanted):
        return f"{len(got)} arrays instead of {len(wanted)}"
    return next(filter(None, (compare_arrays(g, w, how) for g, w in zip(got, wanted))), None)


# ---- Statements

def compiled(statement, values, modules):
    """A statement with `np.`, `nd.` and `rows.` names bound to locals, as batch(n) -> (nanoseconds, value)."""
    names = {}

    def bound(match):
        target = modules[match.group(1)]
        for part in match.group(2).split("."):
            target = getattr(target, part)
        names[match.group(0).replace(".", "_")] = target
        return match.group(0).replace(".", "_")

    text = re.sub(r"\b(np|nd|rows)\.([a-z_.0-9]+)", bound, statement)
    used = {k: v for k, v in values.items() if re.search(rf"\b{k}\b", text)}
    keep = "" if ";" in text else "r = "
    return runner.compile_call(Call(keep + text, {**names, **used}, result=None))


class Setting:
    """One case at one dtype and size, with its arrays."""

    def __init__(self, numd, arrays, operation, dtype, n):
        self.numd, self.operation, self.dtype, self.n = numd, operation, dtype, n
        self.case = cases.case_of(operation.name)
        self.typed = {"n": n, "s": math.isqrt(n)}
        self.numpy_values, self.numd_values = {}, {}
        for number, (name, domain, shape) in enumerate(self.case.inputs):
            pair = arrays.input(domain, dtype, cases.shape_of(shape, n), n, number)
            self.numpy_values[name], self.numd_values[name] = pair
        self.name_dtype()
        self.make_output(arrays)

    def name_dtype(self):
        named = cases.result_dtype(self.dtype) if self.operation.typing == "ASTYPE" else self.dtype
        self.typed["t"] = np.dtype(named)

    def compile_numd(self, statement):
        modules = {"nd": self.numd, "rows": getattr(self.numd._numd, "rows", None)}
        return compiled(statement, {**self.typed, **self.numd_values}, modules)

    def make_output(self, arrays):
        """Lets numd make its own result once, to know the output's dtype and shape; then there is an output for
        both sides that every call writes into."""
        self.numd_text = self.case.numd
        if self.case.has_out:
            _, first = self.compile_numd(cases.without_out(self.case.numd))(1)
            mine = np.asarray(first)
            self.numpy_values["o"], self.numd_values["o"] = arrays.output(mine.dtype, mine.shape, 0)
            self.typed["t"] = mine.dtype
        self.numpy_text = cases.numpy_statement(self.case, self.dtype, self.operation.typing)

    def spoil(self):
        for o in (self.numd_values.get("o"), self.numpy_values.get("o")):
            if o is not None:
                np.asarray(o)[...] = 77

    @staticmethod
    def result(text, values, value):
        """What a call computed: the output it was given, or else its value."""
        return plain(values["o"] if re.search(r"\bo\b", text) else value)

    def call_both(self):
        """Calls both once and compares. {side: (batch(n), its first call's time)}."""
        self.spoil()
        numpy_batch = compiled(self.numpy_text, {**self.typed, **self.numpy_values}, {"np": np})
        try:
            numpy_ns, value = numpy_batch(1)
        except TypeError as error:
            raise NoNumpy(str(error).splitlines()[0]) from None
        wanted = self.result(self.numpy_text, self.numpy_values, value)
        numd_batch = self.compile_numd(self.numd_text)
        numd_ns, value = numd_batch(1)
        self.compare(self.result(self.numd_text, self.numd_values, value), wanted)
        return {"numd": (numd_batch, numd_ns), "numpy": (numpy_batch, numpy_ns)}

    def compare(self, got, wanted):
        got, wanted = (self.judged(text, got, wanted) for text in (self.case.got, self.case.wanted))
        difference = compare(got, wanted, self.case.check)
        if difference:
            raise Wrong(difference)

    def judged(self, expression, got, wanted):
        if expression in ("got", "wanted"):
            return got if expression == "got" else wanted
        wide = {"f": np.float64, "c": np.complex128}.get(np.dtype(self.dtype).kind)
        return plain(eval(expression, {"np": np, "got": got, "wanted": wanted, "wide": wide, **self.numpy_values}))

    def row(self, samples, batch):
        shapes = [list(x.shape) for k, x in self.numpy_values.items() if k != "o"]
        elements = max([math.prod(s) for s in shapes] or [0])
        batched = self.operation.group == "LINALG" and len(shapes[0]) > 2
        out = dict(op=self.operation.name, dtype=self.dtype, n=elements if batched else self.n)
        for side, values in samples.items():
            out[f"{side}_ns"] = round(percentile(values, 50), 1)
            out[f"{side}_quartiles_ns"] = [round(percentile(values, q), 1) for q in (25, 75)]
        out["ratio"] = round(out["numd_ns"] / out["numpy_ns"], 4)
        return dict(out, group=self.operation.group, size=self.n, shapes=shapes, samples=len(samples["numd"]),
                    batch=batch, numd=self.numd_text.replace("nd.", "numd."), numpy=self.numpy_text)


# ---- Timing

def in_turns(firsts, n, budget_ns, least_rounds, quiet=None):
    """({side: samples}, batch of numd). Rounds of one sample each. firsts: {side: (batch(n), its first call's time)}"""
    slow = sum(ns for _, ns in firsts.values()) > SLOW_NS
    overhead = runner.clock_overhead_ns() if n <= 10**5 else 0
    sizes = {side: (1, 0) if slow else rounds.batch_of(*first) for side, first in firsts.items()}

    def turn(side):
        if quiet:
            quiet.wait()
        return rounds.mean_of(firsts[side][0], *sizes[side], overhead)

    ends = rounds.until(0, 1) if slow else rounds.until(budget_ns / 1e9, least_rounds)
    samples = rounds.interleaved(firsts, turn, ends)
    if slow:
        samples = {side: [float(firsts[side][1])] + taken for side, taken in samples.items()}
    return samples, sizes["numd"][0]


def measure(setting, budget_ns, least_rounds, quiet=None):
    """A row of the results. Wrong, NoNumpy, or numd's own errors otherwise."""
    with np.errstate(all="ignore"):
        firsts = setting.call_both()
        with garbage.collected_before(generation=0):
            samples, batch = in_turns(firsts, setting.n, budget_ns, least_rounds, quiet)
    return setting.row(samples, batch)
