# SPDX-License-Identifier: BSD-3-Clause
"""What a way of computing is to the benchmark.

A file in ways/ defines `WAYS`, a list of `Way`, which say all that the harness and the report know of them: adding a
way is adding a file. A way is run by a process of its own that lives for the whole run and reads commands (see
ways_c/bench.h for them). A C client is a program; a Python client is runner.py, which calls `open_call(job)` of the
way's file.
"""
import importlib.util
import pathlib
import shutil
from dataclasses import dataclass, field
from typing import Callable, Optional

INSTALL = "scripts/setup --peers installs"
BUILT_WITH = {"_bench_cython": "cython3", "_bench_cffi": "python3-cffi"}
BY_VALUE = 10**6  # `largest` of ways that copy every array through something slow

WAYS_DIR = pathlib.Path(__file__).resolve().parents[1] / "ways"


@dataclass(frozen=True)
class Context:
    """Where things are in this run."""
    build: pathlib.Path
    python: str

    @property
    def peers(self):
        """Where `scripts/setup --peers` puts what only PyPI has."""
        return self.build / "peers"


@dataclass(frozen=True)
class Way:
    name: str                       # column "way" of the results
    title: str = ""                 # how people call it; default: its name
    group: str = "other"            # one of catalog.GROUPS
    opening: tuple = ()             # the waits with which it is in the report's first picture; () is not at all
    summary: tuple = ()             # the modes that the README's table has
    client: Optional[str] = None    # "c", "python" or None
    modes: tuple = (None,)
    waits: tuple = (None,)          # the last one is measured at all sizes, the others where calls are short
    program: Optional[str] = None   # below the build directory; None: runner.py
    argument: str = ""              # the program's first argument
    needs: tuple = ()               # files below the build directory without which the way is skipped
    daemon: bool = False            # computes in the daemon: its processor time is the server's
    floor: bool = False             # measures the case "floor" and nothing else
    cases: tuple = ()               # only these; () is all
    core: bool = False              # measured by `make bench` too, not by `make bench-all` alone
    largest: Optional[int] = None   # elements of an input that it is measured with at most; None: no limit
    largest_side: Optional[int] = None  # the same for matmul, where `largest` says too little
    modules: tuple = ()             # Python modules that it imports, each with the package that has it
    interpreter: Optional[str] = None  # another Python that runs runner.py, e.g. "pypy3"
    server: Optional[str] = None    # a server of servers.py that it talks to
    file: Optional[pathlib.Path] = None

    @property
    def label(self):
        return f"{self.name} ({self.client})" if self.client else self.name

    def takes(self, point):
        """Whether it is measured at a point. Real data sets are for the core ways."""
        if self.floor:
            return point.with_floors
        if self.cases and point.case not in self.cases or point.data and not self.core:
            return False
        if point.data:
            return True
        if point.case == "matmul" and self.largest_side:
            return point.n <= self.largest_side
        elements = point.n**2 if point.case == "matmul" else point.n
        return self.largest is None or elements <= self.largest

    def missing(self, context):
        """Why it cannot run here; None if it can."""
        if self.interpreter and not shutil.which(self.interpreter):
            return f"{self.interpreter} is not installed: {INSTALL} {self.interpreter}"
        for module, package in self.modules:
            if not has_module(module, context.peers):
                return f"Python has no module {module}: {INSTALL} {package}"
        absent = [n for n in self.needs + ((self.program,) if self.program else ())
                  if not (context.build / n).exists()]
        return f"{', '.join(absent)} is not built{self.hint(absent)}" if absent else None

    def hint(self, absent):
        """What to install first, where bench.mk leaves out what cannot be built."""
        package = next((p for n in absent for key, p in BUILT_WITH.items() if key in n), None)
        return f": {INSTALL} {package}, then make bench-clients" if package else ""

    def command(self, context):
        if self.program:
            return [str(context.build / self.program)] + ([self.argument] if self.argument else [])
        runner = ["-m", "bench.harness.runner"]
        return [self.interpreter or context.python, *runner, str(self.file), self.name, str(context.build)]


@dataclass
class Call:
    """A Python client's ready call: a statement as a user writes it, timed as `timeit` does."""
    statement: str
    names: dict
    result: Callable                # what the last call computed: array or number
    spoil: Callable = lambda: None  # overwrites the output with NaN
    close: Callable = lambda: None
    partner: object = 0             # pid of the other side, if the way started one, or several


@dataclass
class Job:
    """What a Python way's `open_call` gets."""
    case: str
    mode: Optional[str]
    wait: Optional[str]
    inputs: list = field(default_factory=list)  # float64 arrays
    out_shape: Optional[tuple] = None           # None: the result is a number
    build: Optional[pathlib.Path] = None


def has_module(name, *directories):
    """Whether Python could import a module, without doing so."""
    if importlib.util.find_spec(name):
        return True
    return any((directory / name).exists() for directory in directories)


def load_file(path):
    spec = importlib.util.spec_from_file_location(f"bench_way_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_ways(directory=WAYS_DIR):
    """All ways, in the order of their files' names."""
    ways = []
    for path in sorted(directory.glob("*.py")):
        for way in load_file(path).WAYS:
            object.__setattr__(way, "file", path)
            ways.append(way)
    return ways
