# SPDX-License-Identifier: BSD-3-Clause
"""What a claim is: a statement, the experiment that settles it, and what that needs.

`run(lab)` makes the experiment and returns parts: facts that were observed (verdict.fact), ratios over sizes that
were measured (verdict.scan), and notes on what was left out (verdict.left_out). `rule` says in words how they decide.
"""
import importlib
import os
import pathlib
import pkgutil
from dataclasses import dataclass
from typing import Callable

from bench.harness import servers
from bench.subjects.way import has_module, load_ways

GROUPS = ("In one process", "Between processes", "Threads and processes", "Memory", "numd")


@dataclass(frozen=True)
class Claim:
    statement: str
    group: str                  # one of GROUPS
    experiment: str             # what is done, in a sentence or two
    rule: str                   # when it holds
    run: Callable               # of a Lab: the parts
    combine: str = "all"        # how the parts make the verdict: see verdict.decide
    ways: tuple = ()            # names of ways without whose parts it is skipped
    needs: tuple = ()           # files below the build directory
    modules: tuple = ()         # Python modules, each with the package that has it
    daemon: bool = False        # it needs a daemon of ours, which NUMD_SOCKET names meanwhile
    cores: int = 1
    key: str = ""               # its file's name

    def missing(self, context):
        """Why it cannot run here; None if it can."""
        cores = len(os.sched_getaffinity(0))
        if cores < self.cores:
            return f"it takes {self.cores} cores, and this machine lets us use {cores}"
        for module, package in self.modules:
            if not has_module(module, context.peers):
                return f"Python has no module {module}: scripts/setup --peers installs {package}"
        for name in self.needs + (("numd",) if self.daemon else ()):
            if not (context.build / name).exists():
                return f"{name} is not built: make all bench-clients"
        return next(filter(None, (why_not(name, context) for name in self.ways)), None)


def python_way(name):
    """A way's entry, by its name: that with a Python client."""
    return next(w for w in load_ways() if w.name == name and w.client == "python")


def why_not(name, context):
    """Why a way cannot be used here; None if it can."""
    way = python_way(name)
    return way.missing(context) or (servers.SERVERS[way.server].missing() if way.server else None)


def load_claims():
    """All claims, by group and then by name."""
    directory, found = pathlib.Path(__file__).resolve().parent / "statements", []
    for module in pkgutil.iter_modules([str(directory)]):
        claim = importlib.import_module(f"bench.claims.statements.{module.name}").CLAIM
        object.__setattr__(claim, "key", module.name)
        found.append(claim)
    return sorted(found, key=lambda c: (GROUPS.index(c.group), c.key))
