# SPDX-License-Identifier: BSD-3-Clause
"""The section of the page that shows latency against rate: curves and a table."""
import html

from bench.numbers.number_text import digits, duration, short_duration
from bench.page.svg import LogScale, Svg, decade_range, spread_labels
from bench.subjects import catalog

# Panels, each a few ways so that they can be told apart: (heading, [(way, client, wait)]); shapes differ as well.
PANELS = (("numd, by how it waits",
           [("numd-ring", "c", "auto"), ("numd-ring", "c", "spin"), ("numd-ring", "c", "handoff"),
            ("numd-ring", "c", "sleep"), ("numd-socket", "c", None), ("c-direct", "c", None)]),
          ("numd and others",
           [("numd-ring", "c", "auto"), ("numd-ring", "python", "auto"), ("numpy", "python", None),
            ("c-semaphore", "c", None), ("c-unix-stream", "c", None), ("shm-pipe", "python", None),
            ("zeromq-ipc", "python", None), ("pipe", "python", None)]))
SHORT_NAMES = {"numpy": "NumPy", "c-direct": "in process", "numd-socket": "numd socket", "c-semaphore": "semaphores",
               "c-unix-stream": "Unix socket", "shm-pipe": "shm + Pipe", "zeromq-ipc": "ZeroMQ", "pipe": "Pipe"}
SHAPES = ("circle", "square", "diamond", "up", "down", "ring", "circle", "square")
PERCENTILES = (("p50_ns", "the median"), ("p99_ns", "p99"))

STYLE = """<style>
.rate-0 { --k: #0072b2; } .rate-1 { --k: #c75000; } .rate-2 { --k: #00835f; } .rate-3 { --k: #a3478a; }
.rate-4 { --k: #a07800; } .rate-5 { --k: #4a4d52; } .rate-6 { --k: #2f8fd0; } .rate-7 { --k: #8a5a2b; }
@media (prefers-color-scheme: dark) {
.rate-0 { --k: #5cb8ff; } .rate-1 { --k: #ff9047; } .rate-2 { --k: #3ccf9f; } .rate-3 { --k: #ea9ad0; }
.rate-4 { --k: #e6bd3a; } .rate-5 { --k: #d5d3ce; } .rate-6 { --k: #9fd4f7; } .rate-7 { --k: #d6a878; } }
.rate-end { stroke-dasharray: 2 3; opacity: .8; } td.rate-missed { color: var(--bad); }
</style>"""


def key(row):
    return row["way"], row["client"], row["wait"]


def label(row):
    return catalog.everything().row_title(row)


def short_label(row):
    """For a curve, where the panel says the rest."""
    if row["way"] == "numd-ring":
        return "numd " + (catalog.GEARS[row["wait"]] if row["client"] == "c" else "Python")
    return SHORT_NAMES.get(row["way"], row["way"])


def rate_text(rate):
    return f"{rate // 1000:,} k" if rate >= 1000 else str(rate)


def axes(svg, x, y, rates, box):
    left, top, right, bottom = box
    for rate in rates:
        svg.line(x(rate), top, x(rate), bottom)
        if str(rate).strip("0") == "1":  # those between have no room for their numbers
            svg.text(x(rate), bottom + 16, rate_text(rate), "t dim", "middle")
    for value in y.decades():
        svg.line(left, y(value), right, y(value))
        svg.text(right + 6, y(value) + 4, short_duration(value), "t dim")
    svg.text((left + right) / 2, bottom + 32, "requests a second", "t dim", "middle")


def curve(svg, points, x, y, number, top):
    """points: [(rate, ns or None where the rate was not sustained, tip)]. A curve that ends early goes up at its
    end. Where it begins."""
    class_ = f"rate-{number}"
    kept = [(x(rate), y(ns)) for rate, ns, _ in points if ns]
    svg.path(kept, f"curve {class_}")
    lost = next((x(rate) for rate, ns, _ in points if ns is None and x(rate) > kept[-1][0]), None)
    if lost:
        svg.path([kept[-1], (lost, top)], f"curve rate-end {class_}")
    for rate, ns, tip in points:
        if ns:
            svg.marker(x(rate), y(ns), SHAPES[number], class_, tip, 3.2)
    return kept[0]


def tip(row, percentile):
    return f"{label(row)}, {row['rate']:,} a second: {percentile.split('_')[0]} {duration(row[percentile])}"


def series(rows, ways, percentile):
    """[(number, label, points)] of the ways that have any; a percentile that too few calls give is left out."""
    out = []
    for number, way in enumerate(ways):
        mine = [r for r in rows if key(r) == way]
        points = [(r["rate"], r[percentile], tip(r, percentile) if r[percentile] else "") for r in mine
                  if r[percentile] or not r["sustained"]]
        if any(ns for _, ns, _ in points):
            out.append((number, short_label(mine[0]), points))
    return out


def curves(rows, ways, percentile, title):
    width, height = 460, 330
    box = left, top, right, bottom = 130, 14, width - 66, height - 44
    drawn = series(rows, ways, percentile)
    if not drawn:
        return ""
    svg = Svg(width, height, title)
    rates = sorted({r["rate"] for r in rows})
    x = LogScale(min(rates) / 1.4, max(rates) * 1.4, left, right)
    y = LogScale(*decade_range([ns for _, _, points in drawn for _, ns, _ in points]), bottom, top)
    axes(svg, x, y, rates, box)
    starts = [curve(svg, points, x, y, number, top) for number, _, points in drawn]
    for (number, text, _), start, at in zip(drawn, starts, spread_labels([s[1] for s in starts], 15, top + 4, bottom)):
        svg.path([(start[0] - 5, start[1]), (left - 8, at), (left - 12, at)], f"leader rate-{number}")
        svg.text(left - 15, at + 4, text, f"t label rate-{number}", "end")
    return svg.render("panel")


def panel(rows, heading, ways):
    figures = ""
    for percentile, name in PERCENTILES:
        drawing = curves(rows, ways, percentile, f"{heading}: {name} of the latency against rate")
        if drawing:
            figures += f"<figure><h3>{html.escape(heading)}: {name}</h3>{drawing}</figure>"
    return f'<div class="grid">{figures}</div>' if figures else ""


def latency_cell(row):
    if row is None:
        return "<td>–</td>"
    if not row["sustained"]:
        return f'<td class="rate-missed">not sustained: {digits(row["achieved"])}</td>'
    shown = [duration(row[k]) if row[k] else "–" for k in ("p50_ns", "p99_ns", "p999_ns")]
    return f'<td>{" · ".join(shown)}</td>'


def cpu_cell(row):
    if row is None:
        return "<td>–</td>"
    return f'<td>{digits(row["cpu_client_percent"])} + {digits(row["cpu_server_percent"])}</td>'


def table(rows, rates, cell):
    lines = []
    for way in dict.fromkeys(map(key, rows)):
        mine = {r["rate"]: r for r in rows if key(r) == way}
        name = html.escape(label(next(iter(mine.values()))))
        lines.append(f"<tr><td>{name}</td>" + "".join(cell(mine.get(rate)) for rate in rates) + "</tr>")
    heads = "<th></th>" + "".join(f"<th>{rate:,} /s</th>" for rate in rates)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def html_section(results):
    """The section "Latency against rate", without its heading; empty if this run has none."""
    data = (results or {}).get("open_loop") or {}
    rows = data.get("rows") or []
    if not rows:
        return ""
    rates = data["rates"]
    panels = "".join(panel(rows, heading, ways) for heading, ways in PANELS)
    skipped = "".join(f"<li>{html.escape(s['way'])}: {html.escape(s['reason'])}</li>" for s in data["skipped"])
    return (f"{STYLE}<p>Requests to {html.escape(data['case'])} {data['n']} numbers come at random moments, which are "
            f"fixed beforehand (a Poisson process, seed {data['seed']}), whether or not the one before is answered. "
            "Latency counts from the moment when a request was due: what waited for its turn has waited, as a user "
            "would have. Where few requests come, both sides have gone to sleep between them, and waking is all that "
            "one sees. A curve that leaves at the top ends at a rate that the way cannot keep up with. One client, one "
            f"request under way at a time.</p>{panels}"
            "<details open><summary>Median · p99 · p99.9, or how many a second were done where a rate was not "
            "sustained; a dash where too few requests came for a percentile</summary>"
            f"{table(rows, rates, latency_cell)}</details>"
            "<details open><summary>Processor time while the schedule ran, in % of a core: client + other side"
            "</summary>"
            f"{table(rows, rates, cpu_cell)}</details>"
            '<p class="dim">The client sleeps until shortly before a request is due and then looks at the clock; those '
            "looks are not counted as its processor time.</p>"
            + (f'<p class="dim">Left out:</p><ul class="dim">{skipped}</ul>' if skipped else ""))
