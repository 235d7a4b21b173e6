# SPDX-License-Identifier: BSD-3-Clause
"""How numbers and times are written for people to read."""
import math

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power_label(value):
    exponent = round(math.log10(value))
    return str(int(value)) if 0 <= exponent <= 2 else "10" + str(exponent).translate(SUPERSCRIPT)


def duration(ns):
    """"0.35 µs", "12 ms": two or three digits."""
    for unit, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if ns >= size or unit == "µs":
            return f"{digits(ns / size)} {unit}"
    return ""


def short_duration(ns):
    """A decade's label: "10 µs"."""
    unit, size = next((u, s) for u, s in (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1)) if ns >= s or s == 1)
    return f"{ns / size:g} {unit}"


def digits(value):
    if value == 0:
        return "0"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    if value >= 0.095:
        return f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.0005 else "0.000"


def count(n):
    """10⁶, or 115,008."""
    exponent = math.log10(n) if n else 0
    return power_label(n) if exponent == int(exponent) and n >= 1000 else f"{n:,}"
