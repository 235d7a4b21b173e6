# SPDX-License-Identifier: BSD-3-Clause
"""Measures what a call costs through every way of computing: in process, numd, and the usual IPC.

Every way is a process of its own that lives for the whole run (ways/, one file each). For each case and
size all ways get their turn, in several rounds and in shuffled order, so that what disturbs the machine
disturbs all alike. Results are compared with NumPy's; a wrong one fails the run.

Then come, each by a module of its own (extras.py), latency against rate, where the time goes, and the claims.

Writes results.json (results.py says what is in it), machine.json, figures.txt, table.md and index.html into
BUILD/report.
"""
import argparse
import json
import pathlib
import random
import resource
import shutil
import sys
import tempfile

from bench.harness import machine
from bench.harness.progress import Progress
from bench.numbers import results
from bench.subjects import cases, catalog
from bench.subjects.way import Context, load_ways
from bench.suite import extras, method, report, tables
from bench.suite.way_rounds import WayRounds, weight


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"), help="where numd was built")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and samples, within a minute")
    parser.add_argument("--seed", type=int, default=None, help="of the order of the ways")
    parser.add_argument("--all", action="store_true", help="all ways, not the core ones alone: a quarter of an hour")
    parser.add_argument("--ways", default="", help="only these, by name, with commas between (for trying things out)")
    parser.add_argument("--cases", default="", help="only these, as add or add:64, with commas between")
    parser.add_argument("--pin", choices=method.PINNING, default="none", help="where processes may run (default: none "
                        "is pinned)")
    parser.add_argument("--extras", default=None, help="what to measure beside the ways: any of "
                        f"{','.join(e.key for e in extras.EXTRAS)}, or none; the default goes by the other options")
    parser.add_argument("--output", type=pathlib.Path, default=None, help="default: BUILD/report")
    return parser.parse_args(argv)


def chosen_points(text, quick):
    points = cases.points(quick)
    names = [t for t in text.split(",") if t]
    return [p for p in points if not names or p.case in names or f"{p.case}:{p.n}" in names]


def chosen_ways(ways, text, all_of_them):
    names = [t for t in text.split(",") if t]
    return [w for w in ways if w.name in names or not names and (w.core or all_of_them)]


def unknown_names(arguments, ways):
    """What the options name that there is not, as a sentence; None if all is there."""
    for option, text, known in (("--ways", arguments.ways, [w.name for w in ways]),
                                ("--extras", arguments.extras or "", [e.key for e in extras.EXTRAS] + ["none"])):
        absent = [name for name in text.split(",") if name and name not in known]
        if absent:
            return f"{option}: there is no {', '.join(absent)}; there are {', '.join(dict.fromkeys(known))}"
    return None


def main(argv=None):
    arguments = parse_arguments(argv)
    context = Context(build=arguments.build.resolve(), python=sys.executable)
    seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(10**6)
    points = chosen_points(arguments.cases, arguments.quick)
    all_ways = load_ways()
    mistake = unknown_names(arguments, all_ways)
    if mistake:
        print(f"numd bench: {mistake}", file=sys.stderr)
        return 2
    ways = chosen_ways(all_ways, arguments.ways, arguments.all)
    directory = tempfile.mkdtemp(prefix="numd-bench-")
    facts = machine.Facts(context, arguments.quick, seed, method.sentences(arguments.pin), arguments.pin)
    more = extras.chosen(arguments)
    progress = Progress(1)
    print(f"numd bench: order of the ways by seed {seed} (--seed {seed} repeats it)", file=sys.stderr)
    bench = WayRounds(context, ways, points, arguments.quick, seed, directory, progress, arguments.pin)
    progress.total = sum(weight(p, arguments.quick) * len(list(bench.variants(p))) for p in points) + sum(
        e.share(quick) for e, quick in more)
    found = {}
    try:
        bench.run()
        bench.close()
        found = extras.measure(more, context, progress, bench)
    except KeyboardInterrupt:
        print("\nnumd bench: stopped; nothing was written", file=sys.stderr)
        return 130
    finally:
        progress.end()
        bench.close()
        shutil.rmtree(directory, ignore_errors=True)
    output = arguments.output or context.build / "report"
    facts.finish(bench, resource.getrusage(resource.RUSAGE_CHILDREN))
    found = results.of_run(bench.rows, facts.values, all_ways, **found)
    write(output, found)
    print(tables.terminal(found, catalog.Catalog(all_ways)))
    print(f"page:    {output / 'index.html'}\nresults: {output / 'results.json'}")
    for text in bench.wrong:
        print(f"WRONG RESULT: {text}", file=sys.stderr)
    return 1 if bench.wrong else 0


def write(output, found):
    output.mkdir(parents=True, exist_ok=True)
    results.save(output / "results.json", found)
    (output / "machine.json").write_text(json.dumps(found["machine"], indent=1) + "\n")
    report.write(output, found)

