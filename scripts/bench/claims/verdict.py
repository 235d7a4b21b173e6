# SPDX-License-Identifier: BSD-3-Clause
"""Verdicts, computed from what was seen.

The one rule of all ratios: 2000 times, starts of the other sides are drawn again with replacement and then rounds of
each, both sides of a round together (bootstrap.of_paired_ratio, for which a start is what it calls a round); the middle
95 % of the ratios of medians are the interval. A ratio is on a side of its limit only if the whole interval is, and at
it if the whole interval is within 10 % of it; otherwise nothing is shown. Over several sizes, and of several parts,
verdicts are put together by `together`. Parts are dicts of plain values, so that they can be stored as they are.
"""
import math

import numpy as np

from bench.numbers.bootstrap import of_paired_ratio, pooled

HOLDS, FAILS, DEPENDS, UNSHOWN = "holds", "does not hold", "depends", "not shown on this machine"
SKIPPED, FAILED, WRONG = "skipped", "failed", "wrong"  # what findings have instead when there are no parts
SAME = 1.1  # a ratio that is for sure within this factor of its limit is at it

INTERVALS = ("Ratios are of medians over interleaved rounds, for which processes on the other side are started anew "
             "several times; in brackets their interval by bootstrap, 95 %: starts are drawn, then rounds of each, "
             "both sides of a round together. A ratio counts as above or below its limit only if the whole interval "
             "is; if that is within 10 % of the limit, what was claimed does not hold there. A verdict is computed: "
             "“holds” if everything that decides was shown, “does not hold” if the opposite was, “depends” if it is "
             "one here and the other there, with the size where it turns, and “not shown on this machine” if the "
             "figures spread too much to say.")


def interval(over, under, seed):
    """The ratio of two sides' medians, and its interval: (ratio, low, high). over, under: for each start of the other
    sides a list of samples, one a round; both have as many."""
    return (float(np.median(pooled(over)) / np.median(pooled(under))), *of_paired_ratio(over, under, seed))


def judge(low, high, limit, side):
    """Whether a ratio is on the claimed side ("above" or "below") of its limit. One that is at it does not hold."""
    if low > limit:
        return HOLDS if side == "above" else FAILS
    if high < limit:
        return HOLDS if side == "below" else FAILS
    return FAILS if limit / SAME < low and high < limit * SAME else UNSHOWN


def together(verdicts):
    """Of parts that all must hold, or of one ratio at all sizes."""
    found = set(verdicts)
    if len(found) == 1:
        return found.pop()
    if DEPENDS in found or {HOLDS, FAILS} <= found:
        return DEPENDS
    return UNSHOWN


def at_least_one(verdicts):
    """Of figures of which one must hold."""
    found = set(verdicts)
    if HOLDS in found:
        return HOLDS
    return FAILS if found == {FAILS} else UNSHOWN


# ---- Parts

def fact(what, seen, holds, decides=True):
    """Something observed. holds: True, False, or None if the occasion did not come."""
    verdict = UNSHOWN if holds is None else HOLDS if holds else FAILS
    return dict(kind="fact", what=what, seen=seen, verdict=verdict, decides=decides)


def left_out(what, reason):
    """A part that could not be made here."""
    return dict(kind="left out", what=what, seen=reason, verdict=SKIPPED, decides=False)


def point(n, over, under, limit, side, seed):
    ratio, low, high = interval(over, under, seed)
    return dict(n=n, over_ns=float(np.median(pooled(over))), under_ns=float(np.median(pooled(under))), ratio=ratio,
                low=low, high=high, rounds=len(pooled(over)), verdict=judge(low, high, limit, side))


def scan(what, over, under, samples, limit, side, seed, unit="elements", decides=True):
    """A ratio over sizes. over, under: names of its two sides; samples: {size: (theirs, theirs)}, for each start a
    list of times, one a round, in nanoseconds; the size may be None where there is but one."""
    points = [point(n, *both, limit, side, seed) for n, both in samples.items()]
    return dict(kind="scan", what=what, over=over, under=under, limit=limit, side=side, unit=unit, points=points,
                verdict=together(p["verdict"] for p in points), turns=turns(points, limit), decides=decides)


def nothing_shown(part):
    """A scan's part whose limit could not be found."""
    points = [dict(p, verdict=UNSHOWN) for p in part["points"]]
    return dict(part, verdict=UNSHOWN, points=points, turns=[])


def turns(points, limit):
    """The sizes where a ratio crosses its limit, between neighbours that are on different sides of it for sure."""
    sure = [p for p in points if p["verdict"] != UNSHOWN]
    found = []
    for a, b in zip(sure, sure[1:]):
        if a["verdict"] != b["verdict"]:
            way, whole = (math.log(a["ratio"] / x) for x in (limit, b["ratio"]))
            part = min(1.0, max(0.0, way / whole)) if whole else 0.5
            found.append(a["n"] * (b["n"] / a["n"])**part)
    return found


def decide(parts, combine):
    """A claim's verdict: "all" parts must hold, or "any" figure of any of them."""
    deciding = [p for p in parts if p["decides"]]
    if not deciding:
        return SKIPPED
    if combine == "all":
        return together(p["verdict"] for p in deciding)
    return at_least_one(f["verdict"] for p in deciding for f in p.get("points", [p]))
