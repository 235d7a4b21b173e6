# SPDX-License-Identifier: BSD-3-Clause
"""The file that a run leaves, results.json:

    format      "numd bench 2"
    machine     what machine.py found out about the machine, the versions, the method and the run (machine.json has the
                same)
    bootstrap   how the intervals were made: seed, resamples, level in per cent
    quantiles   the percentiles that each row's `alone_ns` holds
    ways        every way there is, in the report's order: name, client, title, group, skipped (null, or why)
    rows        one for each case, size, data set, way, client, mode and gear; all times are in nanoseconds a call:
                case, n, data, dtype   what was computed; "floor" and "idle" compute nothing
                way, client, mode      how; mode is "prepared", "adhoc" or null
                wait                   a gear that was fixed for the measurement; null for the adaptive policy, which
                                       is what programs get, and for ways without gears
                p50_ns p90_ns p99_ns p999_ns   percentiles over samples; p999_ns is null if there are under 1000
                single_p50_ns ...      the same of calls timed one by one, where samples are means of several
                p50_ci_ns              interval of the median
                ratio, ratio_ci        the median over NumPy's of the same case, size and data, and its interval
                rounds_p50_ns          the median of each round
                rounds_ns              samples of each round, at most 40 of them, evenly spaced
                alone_ns               quantiles of calls timed one by one
                batch, samples, calls  calls in a sample, samples, calls in all
                overhead_ns            the clock's own time, subtracted from every sample
                cpu_client_ns cpu_server_ns   processor time a call of the client and of the other side
    figures     ratios with targets: name, value, ci, target, ok, rounds (least and greatest of single rounds)
    break_even  for each case and series the sizes from which on it takes at most 1.1 and 1 times NumPy's time, and the
                one up to which it takes at most 1.1; null where there is none
    open_loop, breakdowns, claims   latency against rate, where the time goes, and the claims: as their modules say.
                Not there if they were not measured.

In memory the adaptive policy is `wait="auto"`, so that one looks for it by name.
"""
import json
import math

from bench.numbers import bootstrap, stats
from bench.subjects import catalog

FORMAT = "numd bench 2"


class Unreadable(Exception):
    """A file is not what it should be; the text says so, with its name."""


def of_run(rows, facts, ways, **parts):
    """The results as one object, of everything that a run has found."""
    known = catalog.Catalog(ways)
    stats.add_intervals(rows, catalog.BASELINE)
    skipped = {(s["way"], s["client"]): s["reason"] for s in facts["skipped"] if s["case"] is None}
    names = dict.fromkeys(key[:2] for key in known.order)
    about = [dict(name=name, client=client, title=known.title(name), group=known.group(name).key,
                  skipped=skipped.get((name, client))) for name, client in names]
    return dict(format=FORMAT, machine=facts,
                bootstrap=dict(seed=bootstrap.SEED, resamples=bootstrap.RESAMPLES, level=bootstrap.LEVEL),
                quantiles=stats.QUANTILES, ways=about, rows=rows, figures=stats.figures(rows),
                break_even=break_even(rows, known), **parts)


def break_even(rows, known):
    """A line a case and series: from which size on it is as good as NumPy in process."""
    out = []
    for case in dict.fromkeys(r["case"] for r in rows if r["data"] is None and r["n"]):
        ours = [r for r in rows if r["case"] == case and r["data"] is None
                and r["wait"] in (None, known.last_wait(r["way"])) and r.get("ratio")]
        for key in sorted({catalog.key_of(r) for r in ours if r["way"] != catalog.BASELINE}, key=known.rank):
            points = [(r["n"], r["ratio"]) for r in ours if catalog.key_of(r) == key]
            sizes, ratios = zip(*points)
            turns = dict(within_10_percent=stats.break_even(sizes, ratios, 1.1),
                         cheaper=stats.break_even(sizes, ratios, 1.0),
                         within_10_percent_up_to=stats.pays_up_to(sizes, ratios, 1.1))
            way, client, mode = key
            out.append(dict(case=case, way=way, client=client, mode=mode, sizes=sizes,
                            **{name: size and math.ceil(size) for name, size in turns.items()}))
    return out


def compact(value):
    """JSON with an item of the longer lists a line, so that the file can be looked at and compared."""
    def lines(items):
        return "[\n" + ",\n".join("  " + json.dumps(item) for item in items) + "\n ]" if items else "[]"
    parts = [f' {json.dumps(key)}: ' + (lines(item) if isinstance(item, list) and key != "quantiles"
                                       else json.dumps(item)) for key, item in value.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def save(path, results):
    rows = [{**row, "wait": None} if row["wait"] == "auto" else row for row in results["rows"]]
    path.write_text(compact({**results, "rows": rows}))


def load(path):
    """What `save` wrote. Unreadable if it is something else."""
    try:
        results = json.loads(path.read_text())
    except OSError as error:
        raise Unreadable(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Unreadable(f"{path}: not JSON: {error}") from None
    if not isinstance(results, dict) or results.get("format") != FORMAT:
        raise Unreadable(f"{path}: not the results of `make bench` (there is no format {FORMAT!r} in it)")
    known = catalog.everything()
    for row in results["rows"]:
        row["wait"] = row["wait"] or known.last_wait(row["way"])
    return results
