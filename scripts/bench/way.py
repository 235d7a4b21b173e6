"""What a way of computing is to the benchmark.

A file in ways/ defines `WAYS`, a list of `Way`. A way is run by a process of its own that lives for the
whole run and reads commands (see ways_c/bench.h for them). A C client is a program; a Python client is
runner.py, which calls `open_call(job)` of the way's file.
"""
import importlib.util
import pathlib
from dataclasses import dataclass, field
from typing import Callable, Optional

WAYS_DIR = pathlib.Path(__file__).resolve().parent / "ways"


@dataclass(frozen=True)
class Context:
    """Where things are in this run."""
    build: pathlib.Path
    python: str


@dataclass(frozen=True)
class Way:
    name: str                       # column "way" of the results
    client: Optional[str] = None    # "c", "python" or None
    modes: tuple = (None,)
    waits: tuple = (None,)          # the last one is measured at all sizes, the others where calls are short
    program: Optional[str] = None   # below the build directory; None: runner.py
    argument: str = ""              # the program's first argument
    needs: tuple = ()               # files below the build directory without which the way is skipped
    daemon: bool = False            # computes in the daemon: its processor time is the server's
    floor: bool = False             # measures the case "floor" and nothing else
    cases: tuple = ()               # only these; () is all
    file: Optional[pathlib.Path] = None

    @property
    def label(self):
        return f"{self.name} ({self.client})" if self.client else self.name

    def missing(self, context):
        """Why it cannot run here; None if it can."""
        absent = [n for n in self.needs + ((self.program,) if self.program else ())
                  if not (context.build / n).exists()]
        return f"{', '.join(absent)} is not built" if absent else None

    def command(self, context):
        if self.program:
            return [str(context.build / self.program)] + ([self.argument] if self.argument else [])
        runner = pathlib.Path(__file__).resolve().parent / "runner.py"
        return [context.python, str(runner), str(self.file), self.name, str(context.build)]


@dataclass
class Call:
    """A Python client's ready call: a statement as a user writes it, timed as `timeit` does."""
    statement: str
    names: dict
    result: Callable                # what the last call computed: array or number
    spoil: Callable = lambda: None  # overwrites the output with NaN
    close: Callable = lambda: None
    partner: int = 0                # pid of the other side, if the way started one


@dataclass
class Job:
    """What a Python way's `open_call` gets."""
    case: str
    mode: Optional[str]
    wait: Optional[str]
    inputs: list = field(default_factory=list)  # float64 arrays
    out_shape: Optional[tuple] = None           # None: the result is a number
    build: Optional[pathlib.Path] = None


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
