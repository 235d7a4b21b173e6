# SPDX-License-Identifier: BSD-3-Clause
"""The benchmarks of numd. Rooms, each of which imports only those before it (scripts/lint-imports checks it):

subjects       what is measured: the ways of computing, the cases with their data, how ways are named and grouped
numbers        numbers from samples: percentiles, intervals, results and what changed between two of them
page           how results are shown: pieces of HTML and SVG, plots
harness        what runs clients, daemons and servers, and takes times
kernels        every operation against NumPy
experiments    latency against rate, where the time of a call goes, fairness, what Python programs pay
claims         what textbooks say, settled
suite          `make bench` and `make bench-all`: all ways in rounds, with the experiments and claims, on one page

ways/ and ways_c/ are the ways themselves, a file each, which clients load by their paths. `python3 scripts/bench
PROGRAM` runs a program, see __main__.py. Clients are processes of their own and find this package by PYTHONPATH. One
may be PyPy without NumPy, so runner.py and what it imports do without.
"""
import pathlib

SCRIPTS = pathlib.Path(__file__).resolve().parents[1]  # where a process that is to import `bench` must look
