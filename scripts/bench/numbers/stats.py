# SPDX-License-Identifier: BSD-3-Clause
"""Numbers from samples: percentiles, rows of the results, the figures with targets, break-even sizes."""
import math

from bench.numbers import bootstrap

ROW_KEYS = ("case", "way", "client", "mode", "wait", "dtype", "n", "data", "p50_ns", "p50_ci_ns", "p90_ns", "p99_ns",
            "p999_ns", "calls", "cpu_client_ns", "cpu_server_ns")
LEAST_FOR_P999 = 1000  # samples; the 99.9th percentile of fewer would be the greatest by another name
QUANTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9)  # of calls timed alone, in `alone_ns`


def percentile(samples, q):
    """The q-th percentile, linear between the two nearest samples. samples: not empty, in any order."""
    ordered = sorted(samples)
    at = (len(ordered) - 1) * q / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def quantile(samples, q):
    """The same, rounded; None if there are too few samples to tell."""
    return None if q > 99 and len(samples) < LEAST_FOR_P999 else round(percentile(samples, q), 1)


def percentiles(samples, prefix=""):
    ordered = sorted(samples)
    return {f"{prefix}p{str(q).replace('.', '')}_ns": quantile(ordered, q) for q in (50, 90, 99, 99.9)}


def merge(turns):
    """A row's numbers from the turns of all rounds, in their order. `rounds_ns` are the samples that bootstrap.py goes
    by, `alone_ns` the quantiles of single calls, which batches would hide."""
    samples = [x for turn in turns for x in turn["ns"]]
    singles = [x for turn in turns for x in turn["single_ns"]]
    calls = sum(turn["calls"] for turn in turns)
    alone = sorted(singles or samples)
    row = percentiles(samples)
    row.update(calls=calls, samples=len(samples), batch=max(turn["batch"] for turn in turns),
               rounds_ns=[bootstrap.thinned(turn["ns"]) for turn in turns],
               rounds_p50_ns=[round(percentile(turn["ns"], 50), 1) for turn in turns],
               alone_ns=[quantile(alone, q) for q in QUANTILES],
               overhead_ns=percentile([turn["overhead_ns"] for turn in turns], 50),
               cpu_client_ns=round(sum(turn["cpu_ns"] for turn in turns) / calls, 1),
               cpu_server_ns=round(sum(turn["cpu_server_ns"] for turn in turns) / calls, 1))
    if singles:
        row.update(percentiles(singles, "single_"))
    return row


def row(case, way, client=None, mode=None, wait=None, dtype=None, n=None, data=None, **numbers):
    """A row of the results, with every key there."""
    out = dict.fromkeys(ROW_KEYS)
    out.update(case=case, way=way, client=client, mode=mode, wait=wait, dtype=dtype, n=n, data=data, **numbers)
    return out


def find(rows, **wanted):
    """The first row with these values, or None."""
    return next((r for r in rows if all(r.get(k) == v for k, v in wanted.items())), None)


def select(rows, **wanted):
    return [r for r in rows if all(r.get(k) == v for k, v in wanted.items())]


RING = dict(way="numd-ring", mode="prepared")

# (what, numerator, denominator, target): medians of one run; the ratio must not exceed the target.
FIGURES = [
    ("C, ring, spin: add 64 : bouncing one cache line",
     dict(case="add", n=64, client="c", wait="spin", data=None, **RING), dict(case="floor", way="cache-line"), 1.2),
    ("Python, ring, spin: add 64 : NumPy",
     dict(case="add", n=64, client="python", wait="spin", data=None, **RING),
     dict(case="add", n=64, way="numpy", data=None), 0.9),
    ("Python, ring, spin: sum 64 : NumPy",
     dict(case="sum", n=64, client="python", wait="spin", data=None, **RING),
     dict(case="sum", n=64, way="numpy", data=None), 0.35),
    ("Python, ring, spin, ad hoc: add 64 : NumPy",
     dict(case="add", n=64, client="python", wait="spin", data=None, way="numd-ring", mode="adhoc"),
     dict(case="add", n=64, way="numpy", data=None), 1.2),
    ("C, ring, hand-off: add 64 : semaphores, two cores",
     dict(case="add", n=64, client="c", wait="handoff", data=None, **RING), dict(case="floor", way="semaphore"),
     0.5),
    ("C, socket: add 64 : Unix socket, 64 bytes",
     dict(case="add", n=64, client="c", way="numd-socket", mode="prepared", data=None),
     dict(case="floor", way="unix-socket"), 2.0),
    ("Python, ring: a*b + sqrt(a) - exp(b), 10^6 : NumPy",
     dict(case="expr", n=10**6, client="python", wait="auto", data=None, **RING),
     dict(case="expr", n=10**6, way="numpy", data=None), 0.4),
    ("Python, ring, spin: add 64 : shared_memory + Pipe",
     dict(case="add", n=64, client="python", wait="spin", data=None, **RING),
     dict(case="add", n=64, way="shm-pipe", data=None), 1 / 50),
    ("Python, ring, spin: add 64 : multiprocessing.Pipe",
     dict(case="add", n=64, client="python", wait="spin", data=None, **RING),
     dict(case="add", n=64, way="pipe", data=None), 1 / 150),
]
IDLE_TARGET_PERCENT = 0.1
IDLE_NAME = "idle daemon, 10 sessions: processor, % of a core"


def ratio_interval(a, b):
    """Interval of the ratio of two rows' medians in one run, by bootstrap. None if there are no samples."""
    if not (a and b and a.get("rounds_ns") and b.get("rounds_ns")):
        return None
    return rounded(bootstrap.of_ratio(a["rounds_ns"], b["rounds_ns"]))


def rounded(values):
    return [float(f"{x:.4g}") for x in values]


def add_intervals(rows, baseline):
    """Gives each measured row the interval of its median, its ratio to the baseline way's row of the same case, size
    and data, and the ratio's interval."""
    base = {(r["case"], r["n"], r["data"]): r for r in rows if r["way"] == baseline}
    divisors = {}
    for each in [r for r in rows if r.get("rounds_ns")]:
        resampled = bootstrap.medians(each["rounds_ns"])
        each["p50_ci_ns"] = [round(x, 1) for x in bootstrap.interval(resampled)]
        point = each["case"], each["n"], each["data"]
        if point in base:
            key = point, len(each["rounds_ns"])
            if key not in divisors:
                divisors[key] = bootstrap.base_medians(each["rounds_ns"], base[point]["rounds_ns"])
            each["ratio"], = rounded([each["p50_ns"] / max(base[point]["p50_ns"], 1e-3)])
            each["ratio_ci"] = rounded(bootstrap.interval(resampled / divisors[key]))
            if each is base[point]:
                each["ratio_ci"] = [1.0, 1.0]


def rounds_range(a, b):
    """The least and the greatest ratio that one round alone would have given. None if that cannot be said."""
    pairs = list(zip(a["rounds_p50_ns"], b["rounds_p50_ns"])) if a and b else []
    ratios = sorted(x / y for x, y in pairs)
    return [round(ratios[0], 3), round(ratios[-1], 3)] if ratios else None


def figures(rows):
    """The figures with targets: value None where a row is missing, ok then None too."""
    out = []
    for name, over, under, target in FIGURES:
        a, b = find(rows, **over), find(rows, **under)
        value = float(f"{a['p50_ns'] / b['p50_ns']:.4g}") if a and b else None
        out.append(dict(name=name, value=value, target=target, ok=None if value is None else value <= target,
                        ci=ratio_interval(a, b), rounds=rounds_range(a, b), p50_ns=a and a["p50_ns"],
                        against_p50_ns=b and b["p50_ns"]))
    idle = find(rows, case="idle")
    value = idle["cpu_percent"] if idle else None
    out.append(dict(name=IDLE_NAME, value=value, target=IDLE_TARGET_PERCENT, ci=None, rounds=None, p50_ns=None,
                    against_p50_ns=None, ok=None if value is None else value <= IDLE_TARGET_PERCENT))
    return out


def break_even(sizes, ratios, limit=1.1):
    """The size from which on the ratio stays at or below the limit, between two measured sizes by
    log-log interpolation. None if it is above at the largest; the smallest size if it never is above."""
    points = sorted(zip(sizes, ratios))
    if not points or points[-1][1] > limit:
        return None
    above = [i for i, (_, ratio) in enumerate(points) if ratio > limit]
    if not above:
        return points[0][0]
    return crossing(points[above[-1]], points[above[-1] + 1], limit)


def pays_up_to(sizes, ratios, limit=1.1):
    """The size up to which the ratio stays at or below the limit; None if it is above at the smallest or never."""
    points = sorted(zip(sizes, ratios))
    above = [i for i, (_, ratio) in enumerate(points) if ratio > limit]
    return crossing(points[above[0] - 1], points[above[0]], limit) if above and above[0] else None


def crossing(before, after, limit):
    """Where a log-log line between two points (size, ratio) is at the limit."""
    (n0, r0), (n1, r1) = before, after
    part = math.log(r0 / limit) / math.log(r0 / r1)
    return n0 * (n1 / n0) ** part
