# SPDX-License-Identifier: BSD-3-Clause
"""Figures with targets: a ratio from the samples of two sides that took turns, whether it meets its target, and the
table of all of them as text.

Targets are {key: (what is measured, target or None, True if the value must be at least that)}. A figure is a dict with
`value`, or with `skipped` or `wrong`, why there is none.
"""
from bench.numbers.number_text import digits
from bench.numbers.stats import percentile


def quartiles(values, places):
    return [round(percentile(values, q), places) for q in (25, 75)]


def of_rounds(over, under, places):
    """A figure from what two sides had in each round: median and quartiles of the ratios of single rounds, whose two
    values are neighbours in time."""
    ratios = [a / b for a, b in zip(over, under)]
    return dict(value=round(percentile(ratios, 50), places), quartiles=quartiles(ratios, places))


def of_times(samples, over, under):
    """The same of two sides' times, with each one's median."""
    a, b = percentile(samples[over], 50), percentile(samples[under], 50)
    return dict(of_rounds(samples[over], samples[under], 4), ns=round(a), against_ns=round(b))


def table(found, targets):
    """All figures in the targets' order, each with its name, target and whether it is met; those not asked for are
    absent."""
    out = []
    for key, (name, target, least) in targets.items():
        if key in found:
            value = found[key].get("value")
            met = None if value is None or target is None else value >= target if least else value <= target
            out.append(dict(key=key, name=name, target=target, least=least, ok=met, **{"value": None, **found[key]}))
    return out


def value_text(figure):
    if "wrong" in figure:
        return "WRONG"
    return "skipped" if figure["value"] is None else digits(figure["value"])


def target_text(figure, least="≥", most="≤"):
    return "" if figure["target"] is None else f"{least if figure['least'] else most} {figure['target']}"


def table_text(figures):
    lines = [f"{'figure':<66}{'measured':>10}{'target':>9}"]
    for f in figures:
        verdict = {None: "", True: "  ok", False: "  MISSED"}[f["ok"]]
        more = f.get("skipped") or f.get("wrong") or f.get("which") or ""
        spread = f"  ({' to '.join(map(digits, f['quartiles']))})" if f.get("quartiles") else ""
        lines.append(f"{f['name']:<66}{value_text(f):>10}{target_text(f, '>=', '<='):>9}{verdict}{spread}"
                     + (f"  {more}" if more else ""))
    return "\n".join(lines)
