# SPDX-License-Identifier: BSD-3-Clause
"""Pictures with a line a row, as inline SVG: times with their spread, and processor time beside them.

Each is drawn twice, for wide and for narrow pages; page.css shows one of them.
"""
from bench.numbers.number_text import duration, short_duration
from bench.page.svg import LogScale, Svg, tight_range
from bench.subjects import catalog

STEP, NARROW_STEP, HEADING = 23, 36, 26


def both_widths(draw, *arguments):
    return draw(*arguments, 900) + draw(*arguments, 400)


class RowChart:
    """Rows with names at the left, under headings of their groups if there are any, on a log axis of time."""

    def __init__(self, rows, width, title, about, values, axis, known, headings, right):
        self.rows, self.known, self.headings = rows, known, headings
        self.narrow = width < 600
        self.left, self.right, self.top = (12, right, 6) if self.narrow else (286, right, 6)
        self.step = NARROW_STEP if self.narrow else STEP
        starts = [r for i, r in enumerate(rows) if headings and self.begins_group(i)]
        self.bottom = self.top + self.step * len(rows) + HEADING * len(starts) + 4
        self.svg = Svg(width, self.bottom + 38, title, about)
        self.scale = LogScale(*tight_range(values, 1.25), self.left, width - self.right)
        for value in self.scale.decades():
            self.svg.line(self.scale(value), self.top, self.scale(value), self.bottom)
            self.svg.text(self.scale(value), self.bottom + 15, short_duration(value), "t dim", "middle")
        self.svg.text((self.left + width - self.right) / 2, self.bottom + 32, axis, "t dim", "middle")

    def begins_group(self, i):
        group = self.known.group(self.rows[i]["way"])
        return i == 0 or self.known.group(self.rows[i - 1]["way"]) != group

    def each(self):
        """(row, the middle of its line, class of its colour, its shape), its name written and its group begun."""
        at = self.top
        for i, row in enumerate(self.rows):
            if self.headings and self.begins_group(i):
                x, anchor = (self.left, "start") if self.narrow else (self.left - 14, "end")
                self.svg.text(x, at + 18, self.known.group(row["way"]).title, "t heading", anchor)
                at += HEADING
            y = at + self.step / 2 + (8 if self.narrow else 0)
            class_, shape = self.known.group_look(row)
            self.svg.begin("s own", catalog.slug(catalog.key_of(row)))
            if self.narrow:
                self.svg.text(self.left, y - 11, self.known.row_title(row))
            else:
                self.svg.text(self.left - 14, y + 4, self.known.row_title(row), "t", "end")
            yield row, y, class_, shape
            self.svg.end()
            at += self.step

    def render(self):
        return self.svg.render("narrow" if self.narrow else "wide")


def dots(rows, known, title, width):
    """Median as a marker, its interval as a bar, the 90th and 99th percentile as ticks on a whisker."""
    chart = RowChart(rows, width, title, in_words(rows, known), [v for r in rows for v in (r["p50_ns"], r["p99_ns"])],
                     "time of a call (log scale)", known, False, 74)
    svg, x = chart.svg, chart.scale
    for row, y, class_, shape in chart.each():
        svg.line(x(row["p50_ns"]), y, x(row["p99_ns"]), y, f"whisker {class_}")
        for q in ("p90_ns", "p99_ns"):
            svg.line(x(row[q]), y - 4, x(row[q]), y + 4, f"whisker {class_}")
        svg.band(x(row["p50_ci_ns"][0]), x(row["p50_ci_ns"][1]), y, 8, class_)
        tip = ", ".join(f"{q} {duration(row[q + '_ns'])}" for q in ("p50", "p90", "p99"))
        svg.marker(x(row["p50_ns"]), y, shape, class_, f"{known.row_title(row)}: {tip}", 5)
        svg.text(width - 4, y + 4, duration(row["p50_ns"]), "t num", "end")
    return chart.render()


def strips(rows, known, title, width):
    """The distribution of calls timed alone: a box over the middle half, a whisker from p5 with ticks at p90, p99 and
    p99.9."""
    values = [v for r in rows for v in r["alone_ns"][1:] if v]
    chart = RowChart(rows, width, title, in_words(rows, known), values, "time of a call (log scale)", known, True, 74)
    svg, x = chart.svg, chart.scale
    for row, y, class_, _ in chart.each():
        _, p5, _, p25, p50, p75, p90, _, p99, p999 = row["alone_ns"]
        svg.line(x(p5), y, x(p999 or p99), y, f"whisker {class_}")
        svg.band(x(p25), x(p75), y, 10, f"{class_} box")
        for value, size in ((p90, 4), (p99, 5.5), (p999, 7)):
            if value:
                svg.line(x(value), y - size, x(value), y + size, f"whisker {class_}")
        tip = ", ".join(f"p{q:g} {duration(v)}" for q, v in
                        ((5, p5), (25, p25), (50, p50), (75, p75), (90, p90), (99, p99), (99.9, p999)) if v)
        svg.marker(x(p50), y, "circle", class_, f"{known.row_title(row)}: {tip}", 3.5)
        svg.text(width - 4, y + 4, duration(p50), "t num", "end")
    return chart.render()


def processor(rows, known, title, width):
    """Processor time of both sides beside the time of a call: a bar, a filled marker and a ring."""
    values = [v for r in rows for v in (r["p50_ns"], r["cpu_client_ns"], r["cpu_server_ns"]) if v and v > 1]
    chart = RowChart(rows, width, title, in_words(rows, known), values, "time of a call, processor time (log scale)",
                     known, True, 16)
    svg, x = chart.svg, chart.scale
    for row, y, class_, _ in chart.each():
        both = [v for v in (row["cpu_client_ns"], row["cpu_server_ns"]) if v and v > 1]
        if len(both) == 2:
            svg.line(x(min(both)), y, x(max(both)), y, f"whisker {class_}")
        svg.line(x(row["p50_ns"]), y - 8, x(row["p50_ns"]), y + 8, f"now {class_}")
        for key, shape, side in (("cpu_client_ns", "circle", "client"), ("cpu_server_ns", "ring", "other side")):
            if row[key] and row[key] > 1:
                tip = f"{known.row_title(row)}: processor time of the {side} {duration(row[key])}"
                svg.marker(x(row[key]), y, shape, class_, tip, 5)
    return chart.render()


def in_words(rows, known):
    return "Medians: " + "; ".join(f"{known.row_title(r)} {duration(r['p50_ns'])}" for r in rows) + "."
