# SPDX-License-Identifier: BSD-3-Clause
"""The section of the page that shows where the time of a call goes: stacked bars and a table."""
import html

from bench.numbers.number_text import count, duration
from bench.page.svg import Svg
from bench.subjects import catalog

# In the order of a call: key, name, what it is, and the kind that gives it its colour.
PARTS = (
    ("encode", "encode", "the request is put into words", "client"),
    ("send", "send", "it is handed over, with the system call that wakes the other side", "send"),
    ("wake", "wake", "until the other side runs and has seen it", "wake"),
    ("decode", "decode", "the other side reads it", "decode"),
    ("check", "check", "and judges it", "check"),
    ("kernel", "kernel", "the computation itself", "kernel"),
    ("signal", "signal", "the answer is handed over", "send"),
    ("wake_back", "wake", "until the client runs and has seen it", "wake"),
    ("read", "read", "the answer is read", "client"),
)

KINDS = {"client": ("#3d7fb5", "#6fb1e6"), "send": ("#7d5ba6", "#b79be0"), "wake": ("#d98c21", "#f0b257"),
         "decode": ("#4f9e8f", "#7accbc"), "check": ("#9a9a3f", "#c9c96e"), "kernel": ("#3a3d42", "#e2e0da")}


def style():
    """Colours of the kinds of parts, on light and on dark."""
    light, dark = ("".join(f".breakdown-{kind} {{ fill: {colours[i]}; background: {colours[i]}; }}\n"
                           for kind, colours in KINDS.items()) for i in (0, 1))
    return f"""<style>
{light}text.breakdown-in {{ fill: #fff; font-size: 11.5px; }}
@media (prefers-color-scheme: dark) {{ {dark}text.breakdown-in {{ fill: #15171a; }} }}
svg rect.breakdown-part {{ stroke: var(--card); stroke-width: 1; }}
.breakdown-key {{ display: inline-block; width: .8em; height: .8em; border-radius: 2px; margin-right: .35em; }}
.breakdown-keys {{ list-style: none; padding: 0; columns: 17rem; font-size: .9rem; }}
.breakdown-keys li {{ break-inside: avoid; }}
</style>"""


def label(row):
    return catalog.everything().row_title(row)


def ns(value):
    """Nanoseconds as such below a microsecond: these parts are that short."""
    return f"{value:.0f} ns" if value < 999.5 else duration(value)


def segment(svg, x, y, width, height, part, row):
    key, name, about, kind = part
    taken = row["parts_ns"][key]
    tip = html.escape(f"{label(row)}: {name}, {about}: {ns(taken)}, {100 * taken / row['sum_ns']:.0f} %")
    svg.parts.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{height}" '
                     f'class="breakdown-part breakdown-{kind}"><title>{tip}</title></rect>')
    if width > 7 * len(name) + 4:
        svg.text(x + width / 2, y + height / 2 + 4, name, "breakdown-in", "middle")


def bars(rows, width, title):
    """A bar a row: each part's share of the sum; the whole in numbers beside it."""
    narrow = width < 600
    left, right, step = (8, 70, 46) if narrow else (300, 80, 32)
    svg = Svg(width, step * len(rows) + 8, title)
    for i, row in enumerate(rows):
        y, x = i * step + (22 if narrow else 4), left
        if narrow:
            svg.text(left, y - 6, label(row))
        else:
            svg.text(left - 12, y + 16, label(row), "t", "end")
        for part in PARTS:
            share = (width - left - right) * row["parts_ns"][part[0]] / row["sum_ns"]
            if share >= 0.3:
                segment(svg, round(x, 1), y, share, 22, part, row)
            x += share
        svg.text(width - 4, y + 16, ns(row["whole_ns"]), "t num", "end")
    return svg.render("narrow" if narrow else "wide")


def table(rows):
    head = ["", *(name if key != "wake_back" else "wake back" for key, name, _, _ in PARTS), "sum", "whole",
            "sum of medians", "without stamps", "a stamp", "calls"]
    lines = []
    for row in rows:
        cells = [html.escape(label(row)), *(ns(row["parts_ns"][key]) for key, _, _, _ in PARTS)]
        cells += [ns(row[key]) for key in ("sum_ns", "whole_ns", "medians_sum_ns", "plain_ns", "stamp_ns")]
        calls = f"{row['calls']:,}" + (f" ({row['lost']} more lost)" if row["lost"] else "")
        lines.append("".join(f"<td>{cell}</td>" for cell in cells + [calls]))
    heads = "".join(f"<th>{h}</th>" for h in head)
    body = "".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>'


def keys():
    items = []
    for key, name, about, kind in PARTS:
        named = name if key != "wake_back" else "wake, back"
        items.append(f'<li><span class="breakdown-key breakdown-{kind}"></span>{named}: {about}</li>')
    return f'<ul class="breakdown-keys">{"".join(items)}</ul>'


def panel(case, n, rows):
    title = f"Where the time of {case} of {count(n)} float64 goes"
    rows = sorted(rows, key=lambda r: r["whole_ns"])
    return (f"<figure><h3>{html.escape(title)}</h3>{bars(rows, 900, title)}{bars(rows, 400, title)}"
            "<figcaption>Each bar is one call, from the program's call to its going on; the parts as shares of their "
            "sum, the whole as time. Sorted by the whole.</figcaption></figure>"
            f"<details><summary>The parts in numbers</summary>{table(rows)}</details>")


def html_section(results):
    """The section "Where the time goes", without its heading; empty if this run has no breakdowns."""
    data = (results or {}).get("breakdowns") or {}
    rows = data.get("rows") or []
    if not rows:
        return ""
    panels = "".join(panel(case, n, [r for r in rows if (r["case"], r["n"]) == (case, n)])
                     for case, n in dict.fromkeys((r["case"], r["n"]) for r in rows))
    clock = ("the processor's cycle counter, which runs evenly on all cores here" if data["clock"] == "tsc"
             else "the system's monotonic clock")
    skipped = "".join(f"<li>{html.escape(s['way'])}: {html.escape(s['reason'])}</li>" for s in data["skipped"])
    return (f"{style()}<p>One call, taken apart by stamps of the time that both sides write into shared memory at its "
            f"seams, read from {clock}. Shown are typical calls, the middle fifth of many by the whole's time, of "
            "which each part is the mean, so that the parts add up; the sum of the medians of the parts over all calls "
            "stands beside, and is another where calls go now one way and now another. A stamp takes time too, and "
            "each part has one in it; the same call without stamps, from the same rounds, stands in the table. "
            "<i>send</i> and <i>signal</i> end when the other side runs, if it does before the system call returns "
            "that woke it; where both share a core the switch to the other side is in them.</p>"
            f"{keys()}{panels}" + (f'<p class="dim">Left out:</p><ul class="dim">{skipped}</ul>' if skipped else ""))
