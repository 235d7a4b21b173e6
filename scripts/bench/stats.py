"""Numbers from samples: percentiles, rows of the results, the figures with targets, break-even sizes."""
import math

ROW_KEYS = ("case", "way", "client", "mode", "wait", "dtype", "n", "data", "p50_ns", "p90_ns", "p99_ns", "calls",
            "cpu_client_ns", "cpu_server_ns")


def percentile(samples, q):
    """The q-th percentile, linear between the two nearest samples. samples: not empty, in any order."""
    ordered = sorted(samples)
    at = (len(ordered) - 1) * q / 100
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def three(samples, prefix=""):
    return {f"{prefix}p{q}_ns": round(percentile(samples, q), 1) for q in (50, 90, 99)}


def merge(turns):
    """A row's numbers from the turns of all rounds."""
    samples = [x for turn in turns for x in turn["ns"]]
    singles = [x for turn in turns for x in turn["single_ns"]]
    calls = sum(turn["calls"] for turn in turns)
    row = three(samples)
    row.update(calls=calls, samples=len(samples), batch=max(turn["batch"] for turn in turns),
               rounds_p50_ns=[round(percentile(turn["ns"], 50), 1) for turn in turns],
               cpu_client_ns=round(sum(turn["cpu_ns"] for turn in turns) / calls, 1),
               cpu_server_ns=round(sum(turn["cpu_server_ns"] for turn in turns) / calls, 1))
    if singles:
        row.update(three(singles, "single_"))
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
]
IDLE_TARGET_PERCENT = 0.1
IDLE_NAME = "idle daemon, 10 sessions: processor, % of a core"


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
        value = round(a["p50_ns"] / b["p50_ns"], 3) if a and b else None
        out.append(dict(name=name, value=value, target=target, ok=None if value is None else value <= target,
                        rounds=rounds_range(a, b), p50_ns=a and a["p50_ns"],
                        against_p50_ns=b and b["p50_ns"]))
    idle = find(rows, case="idle")
    value = idle["cpu_percent"] if idle else None
    out.append(dict(name=IDLE_NAME, value=value, target=IDLE_TARGET_PERCENT, rounds=None, p50_ns=None,
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
    (n0, r0), (n1, r1) = points[above[-1]], points[above[-1] + 1]
    part = math.log(r0 / limit) / math.log(r0 / r1)
    return n0 * (n1 / n0) ** part
