# SPDX-License-Identifier: BSD-3-Clause
"""Tells what changed between two runs of a benchmark, by ratio and confidence.

A and B are two files of one kind: results.json of `make bench` or `make bench-all`, kernels.json of
`make bench-kernels` (kernels-run.json is read from beside it), or python.json of `make bench-python`. A ratio is B's
time over A's: under 1, B is faster.

Of results.json the ratios' 95 % intervals are made by bootstrap from the samples that the files hold; a row changed if
its interval leaves 1 out. Of the other two, which hold quartiles, a row changed if its quartiles in A and B lie apart.
Rows of which nothing can be said either way are counted, not shown.

Times of two machines, or of one machine on a good and on a bad day, differ in everything: --relative compares each
row's ratio to NumPy in its own run instead, which that does not touch.
"""
import argparse
import pathlib
import sys

from bench.numbers import comparison


def parse_arguments(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("a", metavar="A.json", type=pathlib.Path, help="the earlier run")
    parser.add_argument("b", metavar="B.json", type=pathlib.Path, help="the later run")
    parser.add_argument("--relative", action="store_true", help="compare ratios to NumPy of the same run, not times")
    parser.add_argument("--least", type=float, default=5.0, metavar="PERCENT",
                        help="show changes of at least so many per cent (default: 5)")
    parser.add_argument("--all", action="store_true", help="show every row, changed or not")
    return parser.parse_args(argv)


def main(argv=None):
    arguments = parse_arguments(argv)
    try:
        a, b = comparison.load(arguments.a), comparison.load(arguments.b)
        print(comparison.report(a, b, arguments.relative, arguments.least / 100, arguments.all))
    except comparison.Unreadable as error:
        print(f"compare: {error}", file=sys.stderr)
        return 1
    return 0

