# SPDX-License-Identifier: BSD-3-Clause
"""protocol/PROTOCOL.md says what the lists, the headers and a daemon say: statuses, dtypes, methods, limits, keys, and
where everything lies in a channel."""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
PAGE = (TOP / "protocol" / "PROTOCOL.md").read_text(encoding="utf-8")

sys.path.insert(0, str(TOP / "tests"))
from stranger import Daemon, Refused, add_program  # noqa: E402


def section(title):
    """From one heading to the next of its kind."""
    return re.search(rf"^## {title}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S).group(1)


def cells(row):
    return [cell.strip() for cell in row.strip()[1:-1].split("|")]


def table(text, *header):
    """The rows of the table with such a header, the last of whose cells may be left out."""
    for found in re.findall(r"(?:^\|.*\n)+", text, re.M):
        head, _, *rows = map(cells, found.splitlines())
        if head[:len(header)] == list(header) and len(head) - len(header) <= 1:
            return rows
    raise AssertionError(f"no table of {header}")


def numbers(pattern, text=PAGE):
    """What the one match of a pattern says; spaces in it may be ends of lines."""
    found = re.findall(pattern.replace(" ", r"\s+"), text)
    assert len(set(found)) == 1, (pattern, found)
    return [int(n) for n in (found[0] if isinstance(found[0], tuple) else found[:1])]


def rows_of(header, macro):
    """The rows of a list as `X(...)` has them, split at commas outside of quotes."""
    text = (TOP / "protocol" / header).read_text().replace("\\\n", "")
    body = re.search(rf"#define {macro}\(X\)(.*)", text).group(1)
    return [[cell.strip(' "') for cell in re.findall(r'\s*("[^"]*"|[^,"]+)', row)] for row in
            re.findall(r"""X\(((?:"[^"]*"|'.'|[^()"'])*)\)""", body)]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    d = Daemon(tmp_path_factory.mktemp("page"))
    yield d
    d.stop()


# ---- Lists

def test_statuses():
    assert table(section("Statuses"), "number", "name") == rows_of("status.h", "NUMD_STATUS_LIST")


def test_names_of_statuses_in_the_text_exist():
    known = {row[1] for row in rows_of("status.h", "NUMD_STATUS_LIST")}
    assert set(re.findall(r"`(E[A-Z]+)`", PAGE)) <= known


def test_dtypes():
    names = [row[2] for row in rows_of("dtype.h", "NUMD_DTYPE_LIST")]
    said = re.search(r"The dtypes are the rows of(.*?), in the machine's byte order", PAGE, re.S).group(1)
    found = []
    for name, to in re.findall(r"`(\w+)`(?:(?: \([^)]*\))?\s+to\s+`(\w+)`)?", said.split("`protocol/dtype.h`:")[1]):
        first = names.index(name)
        found += names[first:names.index(to) + 1] if to else [name]
    assert found == names


def test_parameters_of_operations():
    """Each of the list has its row with its sentence, and some operation that takes it; there are no others."""
    page = (TOP / "protocol" / "OPERATIONS.md").read_text(encoding="utf-8")
    listed = {row[2]: row[-1] for row in rows_of("op.h", "NUMD_PARAM_LIST")}
    rows = [cells(row) for row in page.splitlines() if row.startswith("| `")]
    taken = {name for row in rows if len(row) == 9 for name in re.findall(r"`(\w+)`", row[5])}
    assert taken == set(listed)
    assert {name.strip("`"): said for name, _, said in table(page, "parameter", "type")} == listed


# ---- Methods

def methods_of_the_page():
    """name -> number of params; those of a list item are methods, too."""
    found = {}
    for name, params in re.findall(r"^(?:- )?\*\*(\w+)\*\* `(\[.*?\])`(?= →| or)", section("Methods"), re.M):
        depth, n = 0, 1 if params != "[]" else 0
        for char in params:
            depth += (char in "[{") - (char in "]}")
            n += char == "," and depth == 1
        found[name] = n
    return found


def methods_of_the_daemon():
    """name -> (number of params, whether it may be a notification)."""
    source = "".join(path.read_text() for path in sorted((TOP / "server" / "worker").glob("methods*.c")))
    rows = re.findall(r'^\s+\{"(\w+)", (\d+), (true|false), \w+\},$', source, re.M)
    return {name: (int(n), notifies == "true") for name, n, notifies in rows}


def test_methods():
    ours = methods_of_the_daemon()
    assert len(ours) > 20
    assert methods_of_the_page() == {name: n for name, (n, _) in ours.items()}


def test_notifications():
    said = re.search(r"The client may send these as notifications: (.*?)\.", PAGE, re.S).group(1)
    assert set(re.findall(r"`(\w+)`", said)) == {name for name, (_, may) in methods_of_the_daemon().items() if may}


def test_every_method_wants_as_many_params(daemon):
    for name, n in methods_of_the_page().items():
        with daemon.connect(hello=name != "hello") as c:
            with pytest.raises(Refused, match=f"{n} params are wanted, not {n + 1}"):
                c.request(name, *range(n + 1))
    with daemon.connect() as c, pytest.raises(Refused) as error:
        c.request("hullo")
    assert error.value.name == "EMETHOD"


# ---- Limits

def test_limits(daemon):
    with daemon.connect() as c:
        limits, version = c.info["limits"], c.info["version"]
    mib, items, depth = numbers(r"at most (\d+) MiB, (\d+) values .*? nested (\d+) deep")
    assert (mib << 20, items, depth) == (limits["frame_bytes"], limits["items"], limits["depth"])
    assert numbers(r"as a segment, whose id the client chooses below (\d+)") == [limits["segments"]]
    assert numbers(r"as a plan, whose id the client chooses below (\d+)") == [limits["plans"]]
    assert numbers(r"at most (\d+) lengths") == numbers(r"arrays of at most (\d+) integers") == [limits["dims"]]
    assert numbers(r"Limits: (\d+) operands, (\d+) operations, (\d+) outputs, (\d+) bindings") == [
        limits[name] for name in ("operands", "ops", "outputs", "bindings")]
    assert numbers(r"`version` is (\d+);") == [version]


def constant(path, name):
    """A number that a header defines."""
    return int(re.search(rf"^#define {name} (\d+)", (TOP / path).read_text(), re.M).group(1))


def test_limits_of_sharing():
    broker, channel = "server/supervisor/broker.h", "server/host/control_channel.h"
    assert numbers(r"at most (\d+) tickets") == [constant(broker, "BROKER_LEASES_MAX")]
    assert numbers(r"until (\d+) seconds after the session's end") == [constant(broker, "BROKER_LEASE_MS") // 1000]
    assert numbers(r"1 to (\d+) ASCII letters") == [constant(channel, "CONTROL_NAME_BYTES") - 1]
    assert numbers(r"at most (\d+) bytes \(bin\)") == [constant(channel, "CONTROL_NOTE_BYTES")]
    assert numbers(r"token \(bin, (\d+) bytes\)") == [constant(channel, "CONTROL_TOKEN_BYTES")]


# ---- Keys

def names_in(text):
    """What is in quotes of code, but for the values that an example gives."""
    return set(re.findall(r"`\"?([a-z_]+)\"?`", text))


def said_of(method):
    return re.search(rf"\*\*{method}\*\* (.*?)(?=^\*\*|^- \*\*|\Z)", section("Methods"), re.M | re.S).group(1)


def test_keys_of_hello(daemon):
    said = said_of("hello")
    with daemon.connect() as c:
        assert set(c.info) == set(re.findall(r'"(\w+)"', said.split("→")[1].split("}")[0]))
        assert set(c.info["limits"]) == names_in(said.split("`limits` a map of numbers:")[1].split("`EVERSION`")[0])


def test_keys_of_prepare(daemon):
    said = said_of("prepare")
    with daemon.connect() as c:
        assert set(c.request("prepare", 0, add_program(10))) == set(re.findall(r'"(\w+)":', said.split("→")[1]))


def test_keys_of_stats(daemon):
    said = said_of("stats")
    with daemon.connect() as c:
        stats = c.request("stats")
    parts = re.fullmatch(r".*`daemon` \((.*?)\),\s+`quotas`, a list of maps \((.*?)\)(.*?)"
                         r"`sessions`, a list of maps \((.*?) as numd\(8\).*", said, re.S).groups()
    assert names_in(parts[0]) == set(stats["daemon"])
    assert names_in(parts[1]) == set(stats["quotas"][0])
    assert names_in(parts[3]) == set(stats["sessions"][0])
    assert names_in(parts[2]) | {"daemon", "quotas", "sessions"} == set(stats)


def test_keys_of_memory(daemon):
    said = re.search(r"`(\{\"segments\".*?\})`", said_of("memory"), re.S).group(1)
    with daemon.connect() as c:
        c.request("attach", 0, {"fd": True}, fds=[memfd()])
        memory = json.loads(c.request("memory"))
    segment = memory["segments"][0]
    keys = set(memory) | set(segment) | set(segment["holders"][0])
    assert keys == set(re.findall(r'"(\w+)"', said))


def memfd():
    fd = os.memfd_create("page")
    os.truncate(fd, 4096)
    return fd


def test_ways_of_waiting(daemon):
    said = re.search(r"`wait` is (.*?): how", said_of("open_channel"), re.S).group(1)
    policies = names_in(said)
    with daemon.connect() as c:
        for policy in policies:
            c.request("open_channel", {"wait": policy})
        with pytest.raises(Refused) as error:
            c.request("open_channel", {"wait": "doze"})
    assert policies == set(re.findall(r"\w+", error.value.sentence.split(":")[1].split(" is ")[0])) - {"or"}
    rows = table(section("The ring door"), "offset", "bytes")
    in_memory = next(row[2] for row in rows if "wait policy" in row[2])
    assert policies == set(re.findall(r"\d (\w+)", in_memory))


# ---- Memory

LAYOUT = """
#include <stdio.h>
#include "shared/channel.h"
#define FIELD(s, f) printf("\\"%s.%s\\": [%zu, %zu],", #s, #f, offsetof(struct s, f), sizeof(((struct s *)0)->f));
int main(void) {
  printf("{");
  FIELD(channel_memory, magic) FIELD(channel_memory, signature) FIELD(channel_memory, n_slots)
  FIELD(channel_memory, slot_bytes) FIELD(channel_memory, spill_bindings) FIELD(channel_memory, wait)
  FIELD(channel_memory, total_bytes) FIELD(channel_memory, client) FIELD(channel_memory, worker)
  FIELD(channel_memory, client_sem) FIELD(channel_memory, worker_sem) FIELD(channel_memory, single)
  FIELD(channel_memory, slots) FIELD(channel_memory, spill) FIELD(channel_memory, single_spill)
  FIELD(slot, seq) FIELD(slot, plan) FIELD(slot, n_bindings) FIELD(slot, flags) FIELD(slot, detail)
  FIELD(slot, status) FIELD(slot, reserved) FIELD(slot, bindings) FIELD(slot, result) FIELD(slot, more_bindings)
  printf("\\"slots\\": %d, \\"slot_bytes\\": %zu, \\"spill\\": %d, \\"magic\\": %u}\\n", CHANNEL_SLOTS,
         sizeof(struct slot), SLOT_SPILL, CHANNEL_MAGIC);
}
"""


@pytest.fixture(scope="module")
def layout(tmp_path_factory):
    place = tmp_path_factory.mktemp("layout")
    (place / "layout.c").write_text(LAYOUT)
    compiler = [*os.environ.get("CC", "gcc").split(), "-std=gnu11", "-D_GNU_SOURCE", f"-I{TOP}", "-o", place / "layout"]
    subprocess.run([*compiler, place / "layout.c"], check=True, timeout=60)
    return json.loads(subprocess.run([place / "layout"], check=True, stdout=subprocess.PIPE, timeout=20).stdout)


def placed(rows):
    """[offset, bytes] of each row; the bytes may be a product."""
    product = lambda text: eval(text.replace("x", "*"), {"__builtins__": {}})  # noqa: E731
    return [[int(row[0]), product(row[1])] for row in rows]


def test_the_layout_of_a_channel(layout):
    rows = table(section("The ring door"), "offset", "bytes")
    assert placed(rows) == [at for name, at in layout.items() if name.startswith("channel_memory.")]
    said = " ".join(row[2] for row in rows)
    assert int(re.search(r"magic, (0x\w+)", said).group(1), 16) == layout["magic"]
    assert re.search(r"slots, (\d+)", said).group(1) == str(layout["slots"])
    assert re.search(r"bytes of a slot, (\d+)", said).group(1) == str(layout["slot_bytes"])
    assert re.search(r"slot's spill, (\d+)", said).group(1) == str(layout["spill"])


def test_the_layout_of_a_slot(layout):
    rows = table(section("The ring door"), "offset", "bytes", "", "written by")
    assert placed(rows) == [at for name, at in layout.items() if name.startswith("slot.")]
