# SPDX-License-Identifier: BSD-3-Clause
"""What `compare` does: two runs' rows side by side, with a ratio, an interval and a verdict for each."""
import json
import math
from dataclasses import dataclass, field

import numpy as np

from bench.numbers import bootstrap, results
from bench.numbers.number_text import digits, duration
from bench.numbers.results import Unreadable
from bench.subjects import catalog

FACTS = ("cpu", "cores", "kernel", "system", "python", "numpy", "blas", "compiler", "quick", "pinning", "hardware")


@dataclass
class Row:
    """A measured time, and what it is compared with in its own run, if anything."""
    ns: float
    rounds: list = None      # samples by rounds, if the file has them
    quartiles: tuple = None  # else these
    base: "Row" = None


@dataclass
class Run:
    path: object
    kind: str
    facts: dict
    rows: dict = field(default_factory=dict)  # {name: Row}


# ---- Reading

def read_json(path):
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Unreadable(f"{path}: not JSON: {error}") from None


def load(path):
    """The run that a file is of. Unreadable if it is of none."""
    found = read_json(path)
    try:
        if isinstance(found, dict) and "format" in found:
            return of_ways(path)
        if isinstance(found, dict) and "figures" in found:
            return of_python(path, found)
        if isinstance(found, list) and found and "numd_quartiles_ns" in found[0]:
            return of_kernels(path, found)
    except (KeyError, TypeError, AttributeError) as error:
        raise Unreadable(f"{path}: damaged: {type(error).__name__}: {error}") from None
    raise Unreadable(f"{path}: none of results.json, kernels.json and python.json as this version of numd writes them")


def of_ways(path):
    found = results.load(path)
    run, base = Run(path, "results.json", found["machine"]), {}
    for r in found["rows"]:
        if not r.get("rounds_ns"):
            continue  # idle
        row = Row(r["p50_ns"], rounds=r["rounds_ns"])
        point = r["case"], r["n"], r["data"]
        where = " ".join(str(x) for x in point if x is not None)
        if r["way"] == catalog.BASELINE:
            base[point] = row
        how = " ".join(filter(None, [r["way"], r["client"], r["mode"], r["wait"]]))
        run.rows[f"{where}: {how}"] = row
        row.base = point
    for row in run.rows.values():
        row.base = base.get(row.base)
    return run


def of_kernels(path, found):
    beside = path.with_name("kernels-run.json")
    run = Run(path, "kernels.json", read_json(beside)["facts"] if beside.exists() else {})
    for r in found:
        row = Row(r["numd_ns"], quartiles=r["numd_quartiles_ns"])
        row.base = Row(r["numpy_ns"], quartiles=r["numpy_quartiles_ns"])
        run.rows[f"{r['op']} {r['dtype']} {r['size']}"] = row
    return run


def of_python(path, found):
    """Its figures are ratios to NumPy already, or of no unit in common."""
    run = Run(path, "python.json", found.get("facts", {}))
    for f in found["figures"]:
        if f.get("value"):
            run.rows[f["name"]] = Row(f["value"], quartiles=f.get("quartiles"))
    return run


# ---- Comparing

def interval(a, b, relative):
    """[low, high] of B over A; None if there is nothing to tell it from."""
    if a.rounds and b.rounds:
        return bootstrap.interval(resampled(b, 0, relative) / resampled(a, 2, relative))
    if a.quartiles and b.quartiles:
        scale = a.base.ns / b.base.ns if relative else 1
        return [scale * b.quartiles[0] / a.quartiles[1], scale * b.quartiles[1] / a.quartiles[0]]
    return None


def resampled(row, stream, relative):
    """A row's medians in resampled runs, or their ratios to those of its base."""
    values = np.maximum(bootstrap.medians(row.rounds, stream, stream), 1e-3)
    return values / bootstrap.base_medians(row.rounds, row.base.rounds, stream) if relative else values


def compare(a, b, relative):
    """(ratio, interval or None) of two rows, or None if they cannot be compared in this way."""
    if relative and not (a.base and b.base):
        return None
    ratio = b.ns / a.ns * (a.base.ns / b.base.ns if relative else 1)
    return ratio, interval(a, b, relative)


def verdict(ratio, ci, least):
    """Of a row: the ratio and all of its interval must say so. Medians of few rounds may lie outside of theirs."""
    if ci is None or abs(math.log(ratio)) < math.log1p(least):
        return "same"
    if ratio < 1 and ci[1] < 1:
        return "faster"
    return "slower" if ratio > 1 and ci[0] > 1 else "same"


# ---- Telling

def warnings(a, b):
    out = []
    for name in FACTS:
        was, now = a.facts.get(name), b.facts.get(name)
        if was != now and name in a.facts and name in b.facts:
            if isinstance(was, dict):
                keys = [k for k in {**was, **now} if was.get(k) != now.get(k)]
                was, now = ({k: side.get(k) for k in keys} for side in (was, now))
            out.append(f"warning: {name} differs: {was} and {now}")
    for run in (a, b):
        if run.facts.get("wrong"):
            out.append(f"warning: {run.path} has wrong results")
        if max(run.facts.get("strangers_percent", 0), run.facts.get("stolen_percent", 0)) > 10:
            out.append(f"warning: {run.path} is of a disturbed run")
    return out


def report(a, b, relative=False, least=0.05, everything=False):
    """The whole answer as text. Unreadable if the runs are of different kinds."""
    if a.kind != b.kind:
        raise Unreadable(f"{a.path} is a {a.kind}, {b.path} a {b.kind}: two of one kind can be compared")
    found = []
    for name in [n for n in a.rows if n in b.rows]:
        compared = compare(a.rows[name], b.rows[name], relative)
        if compared:
            found.append((name, *compared, verdict(*compared, least)))
    if not found:
        raise Unreadable(f"{a.path} and {b.path} have no row in common that can be compared"
                         + (" relative to NumPy" if relative else ""))
    found.sort(key=lambda f: f[1])
    shown = [f for f in found if everything or f[3] != "same"]
    return "\n".join([*warnings(a, b), *lines(a, b, shown, relative), *summary(a, b, found, relative, least)])


def lines(a, b, shown, relative):
    if not shown:
        return []
    width = max(len(name) for name, *_ in shown) + 2
    head = f"{'':<{width}}{'A':>12}{'B':>12}{'B : A':>9}{'interval':>18}"
    out = [head + ("  (of ratios to NumPy)" if relative else "")]
    for name, ratio, ci, word in shown:
        between = f"{digits(ci[0])} to {digits(ci[1])}" if ci else ""
        out.append(f"{name:<{width}}{value(a.rows[name], relative, a.kind):>12}"
                   f"{value(b.rows[name], relative, b.kind):>12}{digits(ratio):>9}{between:>18}"
                   f"{'' if word == 'same' else '  ' + word}")
    return out + [""]


def value(row, relative, kind):
    if relative:
        return digits(row.ns / row.base.ns)
    return duration(row.ns) if kind != "python.json" else digits(row.ns)


def summary(a, b, found, relative, least):
    """How many rows went which way, how many would by chance, and the ratio of all."""
    counts = {word: sum(f[3] == word for f in found) for word in ("faster", "slower", "same")}
    mean = math.exp(sum(math.log(f[1]) for f in found) / len(found))
    out = [f"{len(found)} rows in both: {counts['faster']} faster, {counts['slower']} slower by {100 * least:g} % or "
           f"more; {counts['same']} the same within what can be told. B : A in the geometric mean: {digits(mean)}."]
    if a.kind == "results.json":
        chance = round(len(found) * (100 - bootstrap.LEVEL) / 100)
        out.append(f"Intervals: {bootstrap.LEVEL} %, bootstrap of {bootstrap.RESAMPLES} with seed {bootstrap.SEED}; of "
                   f"so many rows up to {chance} may leave 1 out by chance, and more where there were few rounds.")
    else:
        out.append("Intervals: between the quartiles of A and B.")
    for run, other in ((a, b), (b, a)):
        alone = len([n for n in run.rows if n not in other.rows])
        out += [f"{alone} rows are in {run.path} only."] if alone else []
    return out
