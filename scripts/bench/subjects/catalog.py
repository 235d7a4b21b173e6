# SPDX-License-Identifier: BSD-3-Clause
"""What the report calls the ways, how it groups them, and in which order, colours and shapes it shows them. All of that
follows from the ways' own files; only the groups are listed here.

A *series* is what is one line of a plot against size: a way, its client and how it is called, as
(way, client, mode). Where a way can wait in several gears, it is the last of its `waits`, which all sizes have.
"""
import functools
from dataclasses import dataclass, field

from bench.subjects.way import load_ways

BASELINE = "numpy"
SHAPES = ("circle", "square", "diamond", "up", "down", "ring", "box", "gem")  # the last three are hollow
COLOURS = 8
CLIENTS = {"python": "Python", "c": "C"}
GEARS = {"spin": "spinning", "handoff": "hand-off", "sleep": "sleeping", "auto": "adapting"}
MODES = {"prepared": None, "adhoc": "ad hoc"}


@dataclass(frozen=True)
class Group:
    key: str
    title: str
    about: str
    look: str  # the class of its colour


GROUPS = [
    Group("process", "In process", "NumPy, and the ways from Python into C.", "k-numpy"),
    Group("loops", "Loops and threads", "Plain Python, and calls handed to another thread of the process.", "k-ctypes"),
    Group("numd", "numd", "Arrays shared with the daemon, calls through the ring or the socket.", "k-ring"),
    Group("shared", "Shared memory", "Arrays shared, and something that says “do it” and “done”.", "k-shm"),
    Group("streams", "Pipes, sockets, files", "The arrays’ bytes go there, the result’s come back.", "k-socket"),
    Group("pickled", "multiprocessing", "Python objects, pickled.", "k-pipe"),
    Group("servers", "Messages and databases", "Libraries, brokers and servers in between.", "k-server"),
    Group("other", "Others", "", "k-direct"),
    Group("floor", "Floors", "The least that saying something to another process and hearing back takes, in plain C.",
          "k-floor"),
]


@dataclass
class Catalog:
    """Of the ways given, or of all there are. Names that it does not know stand for themselves."""
    ways: list = field(default_factory=load_ways)

    def __post_init__(self):
        known = [g.key for g in GROUPS]
        order = sorted(self.ways, key=lambda w: (known.index(w.group), w.name != BASELINE, w.client == "c", not w.core))
        self.by_name = {w.name: w for w in reversed(order)}
        self.by_client = {(w.name, w.client): w for w in order}
        self.order = [key for w in order for key in series_of(w)]
        self.several = {n for n in self.by_name if len({w.client for w in order if w.name == n}) > 1}

    def group(self, name):
        way = self.by_name.get(name)
        return next(g for g in GROUPS if g.key == (way.group if way else "other"))

    def title(self, name):
        way = self.by_name.get(name)
        return way.title or name if way else name

    def series_title(self, key):
        """"numd ring, C, ad hoc"."""
        name, client, mode = key
        parts = [self.title(name), CLIENTS.get(client, client) if name in self.several else None,
                 MODES.get(mode, mode)]
        return ", ".join(filter(None, parts))

    def row_title(self, row):
        """"numd ring, Python, spinning", "floor: Unix socket, 64 bytes"; of any dict with "way" and "client"."""
        wait, mode = row.get("wait"), row.get("mode")
        name = self.series_title((row["way"], row["client"], None))
        text = ", ".join(filter(None, [name, GEARS.get(wait, wait), MODES.get(mode, mode)]))
        return f"floor: {text}" if row.get("case") == "floor" else text

    def last_wait(self, name):
        way = self.by_name.get(name)
        return way.waits[-1] if way else None

    def rank(self, key):
        """For sorting series: by group, NumPy first, Python before C, core ways before others."""
        return self.order.index(key) if key in self.order else len(self.order)

    def look(self, key):
        """(class of the colour, shape) of a series within its group."""
        mine = self.group(key[0])
        among = [k for k in self.order if self.group(k[0]) == mine]
        place = among.index(key) if key in among else 0
        return f"c{place % COLOURS}", SHAPES[place % len(SHAPES)]

    def group_look(self, row):
        """The same for a row where all groups are in one picture: the group's colour, the way's shape."""
        key = (row["way"], row["client"], row["mode"])
        return self.group(row["way"]).look, self.look(key)[1]


@functools.lru_cache(maxsize=None)
def everything():
    """The catalog of all ways there are."""
    return Catalog()


def series_of(way):
    return [(way.name, way.client, mode) for mode in way.modes]


def key_of(row):
    return row["way"], row["client"], row["mode"]


def slug(key):
    """A series' name in the page's HTML."""
    return "-".join(filter(None, key))
