# SPDX-License-Identifier: BSD-3-Clause
"""The page: one self-contained HTML file that opens with the answer. run.py writes it; as a program it makes the page
and the table anew from the results.json of a directory."""
import argparse
import html
import pathlib
import sys

from bench.harness import machine
from bench.numbers import stats
from bench.numbers import results as results_file
from bench.numbers.number_text import count, digits, duration
from bench.page import panels, plots
from bench.page.html_parts import (HERE, NOT_MEASURED, VERDICTS, bullet_list, details, document, figure, interval,
                                   machine_list, raised, table, tabs, times_interval)
from bench.subjects import catalog
from bench.suite import extras, kernels_section, tables

ESC = html.escape
CASES = tuple(tables.CASE_TITLES)


class Report:
    """The sections of one run's page, each a method that gives HTML, empty if there is nothing to show."""

    def __init__(self, results, directory=None):
        self.results, self.directory = results, directory
        self.rows, self.facts = results["rows"], results["machine"]
        self.known = catalog.everything()
        at_64 = stats.select(self.rows, case="add", n=64, data=None)
        floors = stats.select(self.rows, case="floor")
        self.at_64 = sorted(at_64, key=lambda r: r["p50_ns"])
        self.prepared = self.in_groups([r for r in at_64 if r["mode"] != "adhoc"] + floors)

    def in_groups(self, rows):
        """Group by group, and within each the fastest first."""
        groups = [g.key for g in catalog.GROUPS]
        return sorted(rows, key=lambda r: (groups.index(self.known.group(r["way"]).key), r["p50_ns"]))

    # ---- What the page opens with

    def add64(self, way, client="python", mode=None, wait=None):
        return stats.find(self.at_64, way=way, client=client, mode=mode, wait=wait)

    def headline(self):
        """The answer in a sentence."""
        numpy, ring = self.add64("numpy"), self.add64("numd-ring", mode="prepared", wait="spin")
        pipe, shm = self.add64("pipe"), self.add64("shm-pipe")
        if numpy and ring:
            text = (f"Adding 64 numbers in another process takes {duration(ring['p50_ns'])} from Python through numd’s "
                    f"ring: {times(ring, numpy)} NumPy’s own call in process")
            if pipe:
                text += f", where sending the arrays through a Pipe takes {times(pipe, numpy)} as long"
            return text + self.large_headline() + "."
        if numpy and pipe and shm:
            return (f"Adding 64 numbers takes NumPy {duration(numpy['p50_ns'])} in process, {times(shm, numpy)} as "
                    f"long through shared memory with a Pipe, and {times(pipe, numpy)} through a Pipe alone. numd was "
                    "not measured in this run.")
        return "What a call costs through every way of computing that ran here."

    def large_headline(self):
        about = dict(case="expr", n=10**6, data=None)
        large = stats.find(self.rows, way="numd-ring", client="python", mode="prepared", wait="auto", **about)
        base = stats.find(self.rows, way="numpy", **about)
        return f"; a formula over a million numbers takes {times(large, base)} NumPy’s time" if large and base else ""

    def opening(self):
        ways = {(w.name, w.client): w.opening for w in self.known.ways}
        rows = [r for r in self.at_64 + stats.select(self.rows, case="floor")
                if r["mode"] != "adhoc" and r["wait"] in ways.get((r["way"], r["client"]), ())]
        if not rows:
            return NOT_MEASURED
        rows.sort(key=lambda r: r["p50_ns"])
        return figure(plots.both_widths(plots.dots, rows, self.known, "Time of adding 64 numbers by way"),
                      "Adding 64 float64 numbers. Marker: median; bar: its 95 % interval; ticks: 90th and 99th "
                      "percentile. Floors compute nothing. Colours are those of the groups below.")

    def warnings(self):
        out = ""
        if self.facts["wrong"]:
            out += ('<p class="banner"><strong>Wrong results; do not use these numbers:</strong> '
                    f'{ESC("; ".join(self.facts["wrong"]))}</p>')
        return out + "".join(f'<p class="banner">{ESC(text)}</p>' for text in machine.disturbances(self.facts))

    # ---- Pictures and their tables

    def grouped(self, pictures):
        return '<div class="grid">' + "".join(
            figure(picture, ESC(group.about), ESC(group.title)) for group, picture in pictures) + "</div>"

    def chips(self):
        """A button a series, which the page's script shows: it lights its lines up in all pictures."""
        measured = {catalog.key_of(r) for r in self.rows if r["case"] not in ("floor", "idle")}
        out = ""
        for group in catalog.GROUPS:
            keys = [k for k in sorted(measured, key=self.known.rank) if self.known.group(k[0]) == group]
            buttons = "".join(f'<button type="button" class="chip" data-s="{ESC(catalog.slug(k))}" '
                              f'aria-pressed="false">{ESC(self.known.series_title(k))}</button>' for k in keys)
            out += f'<div class="chips {group.look}"><span>{ESC(group.title)}</span>{buttons}</div>' if keys else ""
        return ('<details class="chooser" hidden><summary>Choose ways to light up in every picture of this page'
                '</summary><p class="dim"><button type="button" class="chip" id="none">none</button> <label><input '
                'type="checkbox" id="only"> hide the others</label></p>' + out + "</details>")

    def latency(self):
        """Time against size: a view a case, in it a panel a group, and the numbers."""
        views = []
        for case in CASES:
            pictures = panels.latency(self.rows, self.known, case)
            if pictures:
                views.append((case, ESC(tables.CASE_TITLES[case]), self.grouped(pictures) + details(
                    "As numbers", self.results_table(case))))
        if not views:
            return ""
        return ("<p>Median time of a call, both axes logarithmic; each panel has one group in front and all others "
                "behind. NumPy is in every panel: where a way’s line meets it, going through that way costs nothing "
                "any more.</p>" + self.chips() + tabs("latency", views))

    def results_table(self, case):
        blocks = [(title, columns) for title, columns in tables.columns_of(self.rows) if title.startswith(f"{case}:")]
        return "".join(self.block_table(title, columns) for title, columns in blocks)

    def block_table(self, title, columns):
        variants, cells = tables.block(self.rows, [c for _, c in columns], self.known)
        lines = []
        for key in variants:
            row = dict(zip(("way", "client", "mode", "wait"), key))
            lines.append([ESC(self.known.row_title(row))] + [result_cell(cells.get((key, c))) for _, c in columns])
        heading = f"<h3>{ESC(title)}</h3>" if title else ""
        return heading + table(["median, µs, × NumPy; 95 % intervals"] + [h for h, _ in columns], lines)

    def distribution(self):
        if not self.prepared:
            return ""
        lasting = [r for r in self.prepared if r["case"] != "floor" and r["wait"] in (
            None, self.known.last_wait(r["way"]))]
        return ("<p>Adding 64 numbers, calls timed one by one, prepared ones. Box: the middle half; whisker from the "
                "5th percentile, with ticks at the 90th, 99th and 99.9th (that one only where 1000 calls were timed)."
                "</p>"
                + figure(plots.both_widths(plots.strips, self.prepared, self.known, "Spread of adding 64 numbers"))
                + "<p>The same calls by percentile: a line that bends up at the right has a long tail.</p>"
                + self.grouped(panels.tails(lasting, self.known, "Percentiles of adding 64 numbers"))
                + details("As numbers, with ad hoc calls, intervals and how far the rounds’ medians were apart",
                          self.spread_table()))

    def spread_table(self):
        def line(row):
            apart = [edge(row["rounds_p50_ns"]) for edge in (min, max)]
            alone = "single_" if "single_p50_ns" in row else ""
            tail = [row[f"{alone}p{q}_ns"] for q in ("50", "90", "99", "999")]
            return [ESC(self.known.row_title(row)), duration(row["p50_ns"]), times_interval(row["p50_ci_ns"]),
                    times_interval(apart), *[duration(v) if v is not None else "–" for v in tail],
                    digits(row["ratio"]) if row.get("ratio") else "–", interval(row.get("ratio_ci")),
                    f"{row['batch']:,}", f"{row['calls']:,}", duration(row["overhead_ns"])]
        heads = ["", "median", "95 % interval", "rounds’ medians", "alone: p50", "p90", "p99", "p99.9", "× NumPy",
                 "95 % interval", "batch", "calls", "clock"]
        return table(heads, map(line, self.at_64 + stats.select(self.rows, case="floor")))

    # ---- When it pays

    def break_even(self):
        found = [b for b in self.results["break_even"] if b["sizes"]]
        if not found:
            return ""
        cases = [c for c in CASES if any(b["case"] == c for b in found)]
        cells = {(catalog.key_of(b), b["case"]): b for b in found}
        keys = sorted({key for key, _ in cells}, key=self.known.rank)
        pays = {catalog.key_of(b) for b in found if b["within_10_percent"] or b["within_10_percent_up_to"]}
        never = "; ".join(ESC(self.known.series_title(key)) for key in keys if key not in pays)
        heads = [""] + [ESC(tables.CASE_TITLES[c]) + (", side" if c == "matmul" else "") for c in cases]
        lines = [[ESC(self.known.series_title(key))] + [break_even_cell(cells.get((key, c))) for c in cases]
                 for key in keys if key in pays]
        return ("<p>The size from which on a way takes at most 10 % longer than NumPy in process, and in brackets the "
                "one from which on it is faster; between two measured sizes by interpolation. “never”: not up to the "
                "largest size measured; “up to”: only below that size.</p>" + table(heads, lines)
                + (f"<p>Never, in any of these cases: {never}.</p>" if never else "") + self.boundary())

    def boundary(self):
        """numd's clients over the very same kernel in process."""
        pictures = [(case, panels.cost(self.rows, self.known, case)) for case in CASES]
        inside = "".join(figure(p, heading=ESC(tables.CASE_TITLES[case])) for case, p in pictures if p)
        if not inside:
            return ""
        lines = []
        for case in CASES:
            for _, label, sizes, ratios in panels.multiples(self.rows, self.known, case):
                size = stats.break_even(sizes, ratios)
                lines.append([case, label, size_text(size, sizes), digits(ratios[0]), digits(ratios[-1])])
        return ("<h3>The boundary alone: the same kernel in process and in the daemon</h3>"
                "<p>numd’s C client over a C program that calls the daemon’s kernels in its own process. Below the "
                'green line the boundary costs under 10 %.</p><div class="grid">' + inside + "</div>"
                + details("As numbers", table(["case", "call", "under 10 % from", "times, smallest", "times, largest"],
                                              lines)))

    def processor(self):
        rows = self.in_groups([r for r in self.prepared if r["cpu_client_ns"]])
        if not rows:
            return ""
        lines = [[ESC(self.known.row_title(r)), duration(r["p50_ns"]), duration(r["cpu_client_ns"]),
                  duration(r["cpu_server_ns"]), digits((r["cpu_client_ns"] + r["cpu_server_ns"]) / r["p50_ns"])]
                 for r in rows]
        return ("<p>Adding 64 numbers: the time of a call (upright bar), and the processor time that it costs the "
                "client (filled) and the other side (ring). Spinning buys its speed with a second core; what sleeps "
                "costs less processor time than it lasts.</p>"
                + figure(plots.both_widths(plots.processor, rows, self.known, "Processor time of adding 64 numbers"))
                + details("As numbers", table(["", "call", "client", "other side", "cores busy"], lines))
                + self.idle())

    def idle(self):
        idle = stats.find(self.rows, case="idle")
        return (f"<p>A daemon with {idle['sessions']} idle sessions used {idle['cpu_percent']:.3f} % of a core over "
                f"{idle['seconds']:.0f} s.</p>" if idle else "")

    # ---- Figures, and what was not measured

    def figures(self):
        lines = []
        for f in self.results["figures"]:
            both = f["p50_ns"] and f["against_p50_ns"]
            lines.append([raised(ESC(f["name"])), "–" if f["value"] is None else digits(f["value"]), interval(f["ci"]),
                          f"≤ {digits(f['target'])}", verdict(f),
                          f"{duration(f['p50_ns'])} : {duration(f['against_p50_ns'])}" if both else "",
                          interval(f["rounds"]) if f["rounds"] else ""])
        return ("<p>Ratios of medians measured in this run, with what numd is meant to reach.</p>"
                + table(["figure", "measured", "95 % interval", "target", "", "medians", "single rounds"], lines,
                        first_wraps=True))

    def real_data(self):
        blocks = [b for b in tables.columns_of(self.rows) if b[0].split(":")[0] not in CASES]
        views = [(title.partition(":")[0], ESC(title.partition(": ")[2]), self.block_table("", columns))
                 for title, columns in blocks]
        return tabs("data", views) if views else ""

    def left_out(self):
        out = ""
        if self.facts["shortened"]:
            points = ", ".join(self.facts["shortened"])
            out += f'<p class="dim">Measured in one round only, for time: {ESC(points)}.</p>'
        lines = [[ESC(" ".join(filter(None, [self.known.title(s["way"]), s["client"], s["mode"], s["wait"]]))),
                  ESC(s["case"] or "all"), ESC(s["reason"])] for s in self.facts["skipped"]]
        here = {r["way"] for r in self.rows} | {s["way"] for s in self.facts["skipped"]}
        names = dict.fromkeys(key[0] for key in self.known.order)
        others = [self.known.title(name) for name in names if name not in here]
        if others:
            out += ("<p>Not asked for in this run; <code>make bench-all</code> measures everything: "
                    f'{ESC("; ".join(others))}.</p>')
        if lines:
            out += "<p>Skipped, with what to install or what went wrong.</p>" + table(
                ["way", "case", "reason"], lines, words=True)
        return out

    def machine(self):
        return machine_list(self.facts)

    def method(self):
        clocks = {}
        for row in self.rows:
            if row.get("overhead_ns"):
                clocks.setdefault(row["client"], []).append(row["overhead_ns"])
        shown = ", ".join(f"{stats.percentile(v, 50):.0f} ns from {catalog.CLIENTS.get(c, c)}"
                          for c, v in sorted(clocks.items()))
        more = [f"Reading the clock took {shown} (medians of this run); that is subtracted."] if shown else []
        return bullet_list(raised(ESC(text)) for text in [*self.facts["method"], *more])

    def sections(self):
        """(anchor, heading, HTML) of all that have something to show, in their order."""
        found = [
            ("size", "Time against size", self.latency()),
            ("distribution", "Distribution", self.distribution()),
            ("break-even", "When it pays", self.break_even()),
            ("open_loop", "Latency against rate", extras.section("open_loop", self.results)),
            ("processor", "Processor time on both sides", self.processor()),
            ("breakdowns", "Where the time goes", extras.section("breakdowns", self.results)),
            ("claims", "Claims, settled", extras.section("claims", self.results)),
            ("real-data", "Real data", self.real_data()),
            ("kernels", "Every operation", kernels_section.section(self.directory)),
            ("figures", "Figures with targets", self.figures()),
            ("left-out", "Not measured", self.left_out()),
            ("machine", "Machine", self.machine()),
            ("method", "Method", self.method()),
        ]
        return [s for s in found if s[2]]

    def page(self):
        sections = self.sections()
        links = "".join(f'<a href="#{anchor}">{heading}</a>' for anchor, heading, _ in sections)
        body = "".join(f'<section id="{anchor}"><h2>{heading}</h2>{content}</section>\n'
                       for anchor, heading, content in sections)
        about = f"numd: the cost of a call · {ESC(self.facts['date'])} · {ESC(self.facts['cpu'])}"
        script = (HERE / "page.js").read_text()
        return document("numd: the cost of a call", f'<p class="dim">{about}</p><h1>{ESC(self.headline())}</h1>',
                        f"{self.warnings()}{self.opening()}\n<nav>{links}</nav>\n{body}"
                        '<p class="dim">The numbers behind this page: results.json beside it.</p>',
                        css=("page.css",), scripts=f"<script>\n{script}</script>\n")


def times(row, base):
    return f"{digits(row['p50_ns'] / base['p50_ns'])} times"


def result_cell(row):
    """Median and ratio to NumPy, and under them their intervals."""
    if row is None:
        return "–"
    first, second = digits(row["p50_ns"] / 1e3), interval([x / 1e3 for x in row["p50_ci_ns"]])
    if row.get("ratio"):
        first += f' <b>×{digits(row["ratio"])}</b>'
        second += f' ×{interval(row["ratio_ci"])}'
    return f'{first}<br><span class="ratio">{second}</span>'


def verdict(figure):
    """With "unsure" where the target is within the interval."""
    unsure = figure["ci"] and figure["ci"][0] <= figure["target"] < figure["ci"][1]
    return VERDICTS[figure["ok"]] + (' <span class="dim">unsure</span>' if unsure else "")


def size_text(size, sizes):
    if size is None:
        return "never"
    if size <= min(sizes):
        return "always"
    unit = 10 ** max(0, len(str(int(size))) - 2)  # two digits: more would be false precision
    return f"{round(size / unit) * unit:,}"


def break_even_cell(found):
    if found is None:
        return "–"
    if found["within_10_percent"] is None and found["within_10_percent_up_to"]:
        return "up to " + size_text(found["within_10_percent_up_to"], found["sizes"])
    within, cheaper = (size_text(found[k], found["sizes"]) for k in ("within_10_percent", "cheaper"))
    upto = f' <span class="ratio">to {count(max(found["sizes"]))}</span>' if "never" in (within, cheaper) else ""
    return within + (f" ({cheaper})" if cheaper != within else "") + upto


def write(directory, results):
    """Everything but results.json that is made of it."""
    (directory / "figures.txt").write_text(tables.figures_text(results["figures"]) + "\n")
    (directory / "table.md").write_text(tables.markdown(results, catalog.everything()))
    (directory / "index.html").write_text(Report(results, directory).page())


def main(argv=None):
    parser = argparse.ArgumentParser(description="Makes index.html, table.md and figures.txt anew from results.json.")
    parser.add_argument("directory", type=pathlib.Path, nargs="?", default=pathlib.Path("build/report"))
    directory = parser.parse_args(argv).directory
    try:
        write(directory, results_file.load(directory / "results.json"))
    except results_file.Unreadable as error:
        print(f"report: {error}", file=sys.stderr)
        return 1
    print(directory / "index.html")
    return 0

