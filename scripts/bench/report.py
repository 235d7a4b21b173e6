"""The page: one self-contained HTML file that opens with the answer."""
import html
import pathlib

import machine
import plots
import stats
import tables
from svg import count, digits, duration
from tables import figures_text, markdown, terminal

__all__ = ["figures_text", "markdown", "page", "terminal"]

ESC = html.escape
CASES = ("add", "sum", "expr", "matmul")
PERCENTILES = (50, 90, 99)
NOT_MEASURED = "<p>Not measured in this run.</p>"


def table(head, lines, first_wraps=False):
    """Cells are HTML already."""
    def line_html(line):
        first = '<td class="wrap">' if first_wraps else "<td>"
        return "<tr>" + "".join((first if not i else "<td>") + cell + "</td>" for i, cell in enumerate(line)) + "</tr>"
    heads = "".join(f"<th>{h}</th>" for h in head)
    return (f'<div class="scroll"><table><thead><tr>{heads}</tr></thead>'
            f'<tbody>{"".join(map(line_html, lines))}</tbody></table></div>')


def figure(content, caption="", heading=""):
    return ("<figure>" + (f"<h3>{heading}</h3>" if heading else "") + content
            + (f"<figcaption>{caption}</figcaption>" if caption else "") + "</figure>")


def bullet_list(items):
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def three_durations(row):
    return [duration(row[f"p{q}_ns"]) for q in PERCENTILES]


# ---- What the page opens with

def add64(rows, way, client="python", mode=None, wait=None):
    return stats.find(rows, case="add", n=64, data=None, way=way, client=client, mode=mode, wait=wait)


def times(row, base):
    return f"{digits(row['p50_ns'] / base['p50_ns'])} times"


def headline(rows):
    """The answer in a sentence."""
    numpy, ring = add64(rows, "numpy"), add64(rows, "numd-ring", mode="prepared", wait="spin")
    pipe, shm = add64(rows, "pipe"), add64(rows, "shm-pipe")
    if numpy and ring:
        text = (f"Adding 64 numbers in another process takes {duration(ring['p50_ns'])} from Python through numd’s "
                f"ring: {times(ring, numpy)} NumPy’s own call in process")
        if pipe:
            text += f", where sending the arrays through a Pipe takes {times(pipe, numpy)} as long"
        return text + large_headline(rows) + "."
    if numpy and pipe and shm:
        return (f"Adding 64 numbers takes NumPy {duration(numpy['p50_ns'])} in process, {times(shm, numpy)} as long "
                f"through shared memory with a Pipe, and {times(pipe, numpy)} through a Pipe alone. numd was not "
                "measured in this run.")
    return "What a call costs through every way of computing that ran here."


def large_headline(rows):
    large = stats.find(rows, case="expr", n=10**6, data=None, way="numd-ring", client="python", mode="prepared",
                       wait="auto")
    base = stats.find(rows, case="expr", n=10**6, data=None, way="numpy")
    return f"; a formula over a million numbers takes {times(large, base)} NumPy’s time" if large and base else ""


def hero_rows(rows):
    wanted = [add64(rows, "numpy"), add64(rows, "shm-pipe"), add64(rows, "pipe")]
    wanted += [add64(rows, "numd-ring", "c", "prepared", "spin"), add64(rows, "numd-socket", "python", "prepared")]
    wanted += [add64(rows, "numd-ring", "python", "prepared", w) for w in ("spin", "auto", "handoff", "sleep")]
    wanted += [stats.find(rows, case="floor", way=w) for w in ("cache-line", "semaphore", "unix-socket")]
    return sorted(filter(None, wanted), key=lambda r: r["p50_ns"])


# ---- Pictures in both widths, and in panels

def both_widths(draw, rows, title):
    return draw(rows, 900, title) + draw(rows, 400, title) if rows else NOT_MEASURED


def panels(draw, rows):
    pictures = [(case, draw(rows, case)) for case in CASES]
    inside = "".join(figure(picture, heading=f"{case}: {ESC(tables.CASE_TITLES[case])}")
                     for case, picture in pictures if picture)
    return f'<div class="grid">{inside}</div>' if inside else NOT_MEASURED


# ---- Tables

def break_even_table(rows):
    cells, labels = {}, []
    cases = [c for c in CASES if plots.multiples(rows, c)]
    for case in cases:
        for label, _, sizes, ratios in plots.multiples(rows, case):
            labels += [label] if label not in labels else []
            cells[label, case] = break_even_text(stats.break_even(sizes, ratios), sizes)
    heads = ["C client"] + [c + (" (side)" if c == "matmul" else "") for c in cases]
    lines = [[label] + [cells.get((label, c), "–") for c in cases] for label in labels]
    return table(heads, lines) if labels else NOT_MEASURED


def break_even_text(size, sizes):
    if size is None:
        return f"above {count(max(sizes))}"
    if size <= min(sizes):
        return f"all (from {count(min(sizes))})"
    unit = 10 ** max(0, len(str(int(size))) - 2)  # two digits: more would be false precision
    return f"{round(size / unit) * unit:,}"


VERDICTS = {None: "skipped", True: '<span class="good">✓ met</span>', False: '<span class="bad">✗ missed</span>'}


def figures_table(rows):
    lines = []
    for f in stats.figures(rows):
        both = f["p50_ns"] and f["against_p50_ns"]
        lines.append([ESC(f["name"]), "–" if f["value"] is None else digits(f["value"]), f"≤ {f['target']}",
                      VERDICTS[f["ok"]], f"{duration(f['p50_ns'])} : {duration(f['against_p50_ns'])}" if both else "",
                      " – ".join(map(digits, f["rounds"])) if f["rounds"] else ""])
    return table(["figure", "measured", "target", "", "medians", "ratio in single rounds"], lines, first_wraps=True)


def spread_table(rows):
    def line(row):
        apart = [edge(row["rounds_p50_ns"]) / row["p50_ns"] for edge in (min, max)]
        return [ESC(plots.name(row)), *three_durations(row), " – ".join(map(digits, apart)), f"{row['calls']:,}"]
    return table(["", "p50", "p90", "p99", "rounds’ medians", "calls"], map(line, rows))


def all_results(rows):
    parts = []
    for title, columns in tables.columns_of(rows):
        variants, cells = tables.block(rows, [c for _, c in columns])
        lines = [[ESC(tables.variant_label(key))] + [result_cell(cells.get((key, c))) for _, c in columns]
                 for key in variants]
        parts.append(f"<h3>{ESC(title)}</h3>" + table(["median, µs (× NumPy)"] + [h for h, _ in columns], lines))
    return "".join(parts)


def result_cell(cell):
    if cell is None:
        return "–"
    us, ratio = cell
    return digits(us) + (f' <span class="ratio">×{digits(ratio)}</span>' if ratio else "")


# ---- About the run

def machine_list(facts):
    run = f"{facts['date']}, {facts['seconds']:.0f} s{', quick' if facts['quick'] else ''}, seed {facts['seed']}"
    disturbance = (f"programs that are no part of this run used {facts['strangers_percent']:.1f} % of a core; the "
                   f"hypervisor took {facts['stolen_percent']:.1f} %")
    if "waiting_clients_percent" in facts:
        disturbance += f"; ways that were waiting for their turn used {facts['waiting_clients_percent']:.2f} %"
    items = [("Processor", f"{facts['cpu']}, {facts['cores']} cores usable"),
             ("System", f"{facts['system']}, kernel {facts['kernel']}"),
             ("Python, NumPy, BLAS", f"{facts['python']}, {facts['numpy']}, {facts['blas']}"),
             ("Compiler", facts["compiler"]), ("numd", facts["numd"] or "not built"), ("Run", run),
             ("Disturbance", disturbance)]
    return bullet_list(f"<strong>{k}:</strong> {ESC(str(v))}" for k, v in items if v)


def warnings(facts):
    out = ""
    if facts["wrong"]:
        out += ('<p class="banner"><strong>Wrong results; do not use these numbers:</strong> '
                f'{ESC("; ".join(facts["wrong"]))}</p>')
    return out + "".join(f'<p class="banner">{ESC(text)}</p>' for text in machine.disturbances(facts))


def left_out(facts):
    out = ""
    if facts["shortened"]:
        out += f'<p class="dim">Measured in one round only, for time: {ESC(", ".join(facts["shortened"]))}.</p>'
    if facts["skipped"]:
        lines = [[ESC(" ".join(filter(None, [s["way"], s["client"], s["mode"], s["wait"]]))), ESC(s["case"] or "all"),
                  ESC(s["reason"])] for s in facts["skipped"]]
        out += (f"<details open><summary>Skipped ({len(lines)})</summary>"
                + table(["way", "case", "reason"], lines) + "</details>")
    return out


def idle_text(rows):
    idle = stats.find(rows, case="idle")
    return (f"<p>A daemon with {idle['sessions']} idle sessions used {idle['cpu_percent']:.3f} % of a core over "
            f"{idle['seconds']:.0f} s.</p>" if idle else "")


def sections(rows, facts):
    """(heading, HTML beneath it)."""
    at_64 = stats.select(rows, case="add", n=64, data=None)
    at_64.sort(key=lambda r: r["p50_ns"])
    prepared = [r for r in at_64 if r["mode"] != "adhoc"]
    floors = stats.select(rows, case="floor")
    return [
        ("Figures",
         "<p>Ratios of medians measured in this run, with what numd is meant to reach.</p>" + figures_table(rows)),
        ("Time against size",
         "<p>Median time of a call. Python clients, but for the dashed line: the daemon’s own kernel called by a C "
         "program in process.</p>" + panels(plots.latency, rows)),
        ("The cost of the process boundary",
         "<p>numd’s C client over the very same kernel called in process. Below the green line the boundary costs "
         "under 10 %.</p>" + panels(plots.cost, rows)
         + "<h3>The size from which it costs under 10 %</h3>" + break_even_table(rows)),
        ("Spread",
         "<p>Adding 64 numbers, all variants but ad hoc calls. Marker: median; ticks: 90th and 99th percentile.</p>"
         + figure(both_widths(plots.dots, prepared, "Spread of adding 64 numbers"))
         + "<details><summary>As numbers, with ad hoc calls and how far the rounds’ medians were apart</summary>"
         + spread_table(at_64) + "</details>"),
        ("Processor time on both sides",
         "<p>Adding 64 numbers. Filled: the client; hollow: the other side. Spinning buys its speed with a second "
         "core.</p>" + figure(both_widths(plots.cpu, prepared, "Processor time of adding 64 numbers"))
         + idle_text(rows)),
        ("Floors",
         "<p>The least that one round trip between two processes takes here, in plain C.</p>"
         + table(["", "p50", "p90", "p99"],
                 [[ESC(plots.FLOOR_NAMES.get(r["way"], r["way"])), *three_durations(r)] for r in floors])),
        ("All results",
         "<details><summary>Medians of every way, case and size</summary>" + all_results(rows) + "</details>"
         + left_out(facts)),
        ("Machine", machine_list(facts)),
        ("Method", bullet_list(map(ESC, facts["method"]))),
    ]


def page(rows, facts):
    css = (pathlib.Path(__file__).resolve().parent / "page.css").read_text()
    opening = figure(both_widths(plots.dots, hero_rows(rows), "Time of adding 64 numbers by way"),
                     "Adding 64 float64 numbers. Marker: median; ticks: 90th and 99th percentile. Clients are Python "
                     "where not said otherwise. Floors are plain C and compute nothing.")
    body = "".join(f"<h2>{heading}</h2>{content}" for heading, content in sections(rows, facts))
    about = f"numd: the cost of a call · {ESC(facts['date'])} · {ESC(facts['cpu'])}"
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>numd: the cost of a call</title>\n<style>\n{css}</style></head>\n<body><main>\n"
            f'<header><p class="dim">{about}</p><h1>{ESC(headline(rows))}</h1></header>\n'
            f"{warnings(facts)}{opening}\n{body}\n"
            '<p class="dim">The numbers behind this page: results.json and machine.json beside it.</p>\n'
            "</main></body></html>\n")
