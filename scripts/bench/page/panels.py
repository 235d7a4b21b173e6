# SPDX-License-Identifier: BSD-3-Clause
"""Pictures with a curve a way, as inline SVG: small multiples, one panel a group. In each panel the group's own ways
have colours, markers and labels; those of the other groups are thin lines behind them, so that all panels show all ways
and can be compared. NumPy is labelled in every one.
"""
from dataclasses import dataclass

from bench.numbers import stats
from bench.numbers.number_text import count, digits, duration, power_label, short_duration
from bench.page.svg import LogScale, Svg, decade_range, spread_labels
from bench.subjects import catalog

WIDTH, HEIGHT = 432, 316
BOX = LEFT, TOP, RIGHT, BOTTOM = 166, 12, WIDTH - 66, HEIGHT - 46
LABEL_GAP = 15


@dataclass
class Curve:
    key: tuple        # the series
    points: list      # [(x, y, what a pointer shows)]


@dataclass
class Front:
    """How a curve in front looks."""
    label: str
    look: tuple       # (class of its colour, shape of its markers)
    line: str = ""    # class of its line


@dataclass
class Axes:
    x: LogScale
    y: LogScale
    x_ticks: list     # [(value, label)]
    y_ticks: list
    x_title: str


def draw_axes(svg, axes):
    for value, label in axes.x_ticks:
        svg.line(axes.x(value), TOP, axes.x(value), BOTTOM)
        svg.text(axes.x(value), BOTTOM + 18, label, "t dim", "middle")
    for value, label in axes.y_ticks:
        svg.line(LEFT, axes.y(value), RIGHT, axes.y(value))
        svg.text(RIGHT + 5, axes.y(value) + 4, label, "t dim")
    svg.text((LEFT + RIGHT) / 2, BOTTOM + 36, axes.x_title, "t dim", "middle")


def behind(svg, curve, axes, known):
    key = curve.key
    svg.begin("s ctx " + known.group(key[0]).look, catalog.slug(key))
    svg.path([(axes.x(x), axes.y(y)) for x, y, _ in curve.points], "curve", known.series_title(key))
    svg.end()


def in_front(svg, curve, axes, style, label_y):
    class_, shape = style.look
    svg.begin(f"s own {class_}", catalog.slug(curve.key))
    svg.path([(axes.x(x), axes.y(y)) for x, y, _ in curve.points], f"curve {style.line}".strip())
    for x, y, tip in curve.points:
        svg.marker(axes.x(x), axes.y(y), shape, class_, tip, 3)
    x_start, y_start = axes.x(curve.points[0][0]), axes.y(curve.points[0][1])
    svg.path([(x_start - 5, y_start), (LEFT - 8, label_y), (LEFT - 12, label_y)], "leader")
    svg.text(LEFT - 15, label_y + 4, style.label, "t label", "end")
    svg.end()


def panel(curves, fronts, axes, known, title, about, extra=None):
    """fronts: {key: Front} of the curves that are in front."""
    svg = Svg(WIDTH, HEIGHT, title, about)
    draw_axes(svg, axes)
    if extra:
        extra(svg)
    for curve in curves:
        if curve.key not in fronts:
            behind(svg, curve, axes, known)
    ahead = [c for c in curves if c.key in fronts]
    places = spread_labels([axes.y(c.points[0][1]) for c in ahead], LABEL_GAP, TOP + 4, BOTTOM)
    for curve, y in zip(ahead, places):
        in_front(svg, curve, axes, fronts[curve.key], y)
    return svg.render("panel")


def by_group(curves, axes, known, title):
    """[(group, picture)] of all groups that have a curve."""
    out = []
    baseline = {c.key: Front(known.series_title(c.key), ("k-numpy", "square"), "base") for c in curves
                if c.key[0] == catalog.BASELINE}
    for group in catalog.GROUPS:
        mine = [c for c in curves if known.group(c.key[0]) == group]
        if mine:
            about = "; ".join(f"{known.series_title(c.key)}: {c.points[0][2]} … {c.points[-1][2]}" for c in mine)
            fronts = {c.key: Front(known.series_title(c.key).removeprefix(group.title + " "), known.look(c.key))
                      for c in mine}
            out.append((group, panel(curves, {**fronts, **baseline}, axes, known, f"{title}: {group.title}", about)))
    return out


# ---- Time against size

def series_rows(rows, known, **about):
    """{series: its rows}, of the gear that all sizes have, without real data sets and floors."""
    out = {}
    for row in stats.select(rows, data=None, **about):
        if row["n"] and row["wait"] in (None, known.last_wait(row["way"])):
            out.setdefault(catalog.key_of(row), []).append(row)
    return {key: sorted(out[key], key=lambda r: r["n"]) for key in sorted(out, key=known.rank)}


def x_title(case):
    return "side of the matrices" if case == "matmul" else "elements"


def size_scale(sizes):
    return LogScale(min(sizes) / 1.35, max(sizes) * 1.35, LEFT, RIGHT)


def decades(scale, label):
    values = scale.decades()
    every = 2 if len(values) > 7 else 1
    return [(v, label(v)) for v in values[::every]]


def latency(rows, known, case):
    """[(group, picture)] of a case: median time of a call against size."""
    curves = [Curve(key, [(r["n"], r["p50_ns"], f"{duration(r['p50_ns'])} at {count(r['n'])}") for r in found])
              for key, found in series_rows(rows, known, case=case).items()]
    if not curves:
        return []
    x = size_scale([x for c in curves for x, _, _ in c.points])
    y = LogScale(*decade_range([y for c in curves for _, y, _ in c.points], 1.0), BOTTOM, TOP)
    axes = Axes(x, y, decades(x, power_label), decades(y, short_duration), x_title(case))
    return by_group(curves, axes, known, f"Time of {case} against size")


# ---- Percentiles

def odds(percent):
    """What makes a percentile scale that is as wide for the last per mille as for the one before."""
    return percent / (100 - percent)


def tails(rows, known, title):
    """[(group, picture)] of the quantiles of rows' calls timed alone; rows of one point."""
    curves = []
    for row in rows:
        points = [(odds(q), v, f"p{q:g} {duration(v)}") for q, v in zip(stats.QUANTILES, row["alone_ns"]) if v]
        curves.append(Curve(catalog.key_of(row), points))
    if not curves:
        return []
    x = LogScale(odds(0.7), odds(99.94), LEFT, RIGHT)
    y = LogScale(*decade_range([y for c in curves for _, y, _ in c.points], 1.0), BOTTOM, TOP)
    ticks = [(odds(q), f"{q:g}") for q in (1, 10, 50, 90, 99, 99.9)]
    axes = Axes(x, y, ticks, decades(y, short_duration), "percentile")
    return by_group(curves, axes, known, title)


# ---- What the boundary costs

GEARS = (("numd-ring", "spin"), ("numd-ring", "handoff"), ("numd-ring", "sleep"), ("numd-ring", "auto"),
         ("numd-socket", None))


def multiples(rows, known, case):
    """[((way, "c", gear), label, sizes, ratios)] of numd's C clients over the same kernel in process."""
    direct = {r["n"]: r["p50_ns"] for r in stats.select(rows, case=case, way="c-direct", data=None)}
    out = []
    for way, wait in GEARS:
        found = [r for r in stats.select(rows, case=case, way=way, client="c", mode="prepared", wait=wait, data=None)
                 if direct.get(r["n"])]
        if found:
            found.sort(key=lambda r: r["n"])
            label = ", ".join(filter(None, [way.removeprefix("numd-"), catalog.GEARS.get(wait)]))
            out.append(((way, "c", wait), label, [r["n"] for r in found],
                        [r["p50_ns"] / direct[r["n"]] for r in found]))
    return out


def cost(rows, known, case):
    """The multiples against size, one picture. None if there is nothing to draw."""
    found = multiples(rows, known, case)
    if not found:
        return None
    curves = [Curve(key, [(n, max(ratio, 0.5), f"{digits(ratio)} times at {count(n)}")
                          for n, ratio in zip(sizes, ratios)]) for key, _, sizes, ratios in found]
    x = size_scale([x for c in curves for x, _, _ in c.points])
    y = LogScale(0.5, max(10, decade_range([y for c in curves for _, y, _ in c.points], 1.0)[1]), BOTTOM, TOP)
    axes = Axes(x, y, decades(x, power_label), decades(y, lambda v: power_label(v) + "×"), x_title(case))

    def limit(svg):
        svg.line(LEFT, y(1.1), RIGHT, y(1.1), "limit")
        svg.text(LEFT + 4, y(1.1) + 14, "10 % more", "t dim")

    fronts = {key: Front(label, (f"c{i}", catalog.SHAPES[i]), f"w-{key[2]}" if key[2] else "")
              for i, (key, label, _, _) in enumerate(found)}
    about = "; ".join(f"{fronts[c.key].label}: {c.points[0][2]} … {c.points[-1][2]}" for c in curves)
    return panel(curves, fronts, axes, known, f"Time of {case} through numd over the same kernel in process", about,
                 limit)
