# SPDX-License-Identifier: BSD-3-Clause
"""The report of the kernels' benchmark: text, and one self-contained page that opens with the answer."""
import html
import json

from bench.harness import machine
from bench.kernels.kernel_cases import case_of
from bench.kernels.kernel_figures import LIMIT, geomean, slower
from bench.numbers.number_text import count, digits, duration
from bench.numbers.targets import table_text, target_text, value_text
from bench.page.html_parts import HERE, VERDICTS, bullet_list, details, document, machine_list, raised, table

ESC = html.escape

METHOD = [
    "numd computes in a daemon of its own with all cores, called through the ring from this Python process; NumPy "
    "computes in this process, with its default threads. Inputs have the same values for both, each in memory of "
    "its own: shared memory for numd, the heap for NumPy.",
    "Prepared calls: plans are made and outputs exist. NumPy writes into an existing output (out=) where it can; "
    "functions without one (sort, unique, where and others) have their normal form. What exactly was called is shown "
    "with every cell. Operations with several outputs, or whose results' lengths depend on the data, make their "
    "outputs anew, as NumPy's do; reductions to one number return it.",
    "Results are compared before timing, after the output was overwritten: exactly where nothing rounds, within a few "
    "units in the last place for elementwise functions, else within a small part of the largest element. A wrong "
    "result, an error, or an operation without a case fails the run.",
    "numd and NumPy take turns in an order that alternates. Up to 10^5 elements a sample is the mean of a batch of "
    "calls of about 0.1 ms, after a quarter as many that do not count; at 10^7 it is one call. At least 5 rounds "
    "(3 at 10^7 and in quick runs; where both calls together take over 0.6 s, the compared calls and one round). "
    "Medians; quartiles beside them. A figure is the median of the ratios of 9 rounds (3 for the 8 "
    "processes). Python's garbage collector is off while timing.",
    "Linear algebra: one square matrix of about n elements; in place of 10^7 elements a batch of 10^4 matrices of 4 "
    "by 4, which is what its n says. The other integers are left out there, because they become float64 first, as "
    "int64 does. matmul at 10^7 elements is a batch of 32 by 32 matrices.",
    "Views (reshape, flip, slice and so on) cost nothing in either; measured is the view made contiguous in an "
    "existing output.",
    "Random data from the seed named above, inside each operation's domain. Full range for integers where the "
    "operation takes all; no NaN or infinity.",
]

GROUPS = {"MAP": "elementwise", "REDUCE": "reductions", "SCAN": "along an axis", "PRODUCT": "products",
          "VIEW": "views, made contiguous", "MOVE": "moved by place", "ORDER": "sorted, searched, selected",
          "MAKE": "made from parameters", "LINALG": "linear algebra"}

# (greatest ratio, class of the colour, words for the legend)
BINS = [(0.1, "b5", "≤ 0.1"), (0.2, "b4", "≤ 0.2"), (0.4, "b3", "≤ 0.4"), (0.65, "b2", "≤ 0.65"), (0.9, "b1", "≤ 0.9"),
        (LIMIT, "z0", f"≤ {LIMIT}"), (1.5, "o1", "≤ 1.5"), (2.5, "o2", "≤ 2.5"), (5, "o3", "≤ 5"),
        (1e30, "o4", "> 5")]


def bin_of(ratio):
    return next(name for limit, name, _ in BINS if ratio <= limit)


def short(dtype):
    """float64 -> f64"""
    return dtype if dtype == "bool" else dtype.rstrip("0123456789")[0] + dtype.lstrip("abcdefghijklmnopqrstuvwxyz")


def in_order(values):
    return list(dict.fromkeys(values))


# ---- Text

def summary_text(rows):
    """A line an operation: for each size the geometric mean over its dtypes, and the worst of them."""
    sizes = sorted({r["size"] for r in rows})
    lines = [f"{'numd : NumPy, geometric mean over dtypes; worst':<24}",
             f"{'':<24}" + "".join(f"{f'10^{len(str(n)) - 1}':>26}" for n in sizes)]
    for op in in_order(r["op"] for r in rows):
        cells = []
        for n in sizes:
            found = [r for r in rows if r["op"] == op and r["size"] == n]
            worst = max(found, key=lambda r: r["ratio"], default=None)
            cells.append(f"{digits(geomean(found))}; {digits(worst['ratio'])} {worst['dtype']}" if found else "-")
        lines.append(f"{op:<24}" + "".join(f"{c:>26}" for c in cells))
    return "\n".join(lines)


def row_text(r):
    return (f"{r['op']:<24}{r['dtype']:<12}{r['n']:>9}{duration(r['numd_ns']):>12}{duration(r['numpy_ns']):>12}"
            f"{digits(r['ratio']):>9}")


def rows_text(title, rows):
    head = f"{title:<36}{'n':>9}{'numd':>12}{'NumPy':>12}{'ratio':>9}"
    return "\n".join([head, *map(row_text, rows)])


def slower_text(rows, most=None):
    found = slower(rows)
    if not found:
        return f"No row from 10^5 elements on takes more than {LIMIT} times NumPy's time."
    more = len(found) - most if most and len(found) > most else 0
    return (rows_text(f"above {LIMIT} ({len(found)})", found[:most])
            + (f"\n... and {more} more in kernels.txt" if more else ""))


def left_out_lines(left_out):
    """(operation, reason, where) with dtypes and sizes of the same reason together."""
    places = {}
    for item in left_out:
        places.setdefault((item["op"], item["reason"]), {}).setdefault(item["n"], []).append(item["dtype"])
    for (op, reason), sizes in places.items():
        for_dtypes = {}
        for n, dtypes in sizes.items():
            for_dtypes.setdefault(tuple(dtypes), []).append(count(n))
        where = "; ".join(f"{', '.join(map(short, d))} at {', '.join(n)}" for d, n in for_dtypes.items())
        yield op, reason, where


def left_out_text(left_out):
    return "left out\n" + "\n".join(f"  {op} ({where}): {why}" for op, why, where in left_out_lines(left_out))


def notes_text(facts):
    out = []
    if facts["shortened"]:
        out.append(f"{facts['shortened']} rows had two rounds only, for time.")
    return out + machine.disturbances(facts)


def terminal(found, most=30):
    rows, parts = found["rows"], []
    if rows:
        parts += [summary_text(rows), slower_text(rows, most)]
    if found["figures"]:
        parts.append(table_text(found["figures"]))
    return "\n\n".join(parts + [f"note: {note}" for note in notes_text(found["facts"])]) + "\n"


def text(found):
    parts = [headline(found), terminal(found, None)]
    if found["rows"]:
        parts.append(rows_text("all rows", found["rows"]))
    if found["left_out"]:
        parts.append(left_out_text(found["left_out"]))
    return "\n\n".join(parts) + "\n"


# ---- The page

def headline(found):
    rows = found["rows"]
    mean = next((f for f in found["figures"] if f["key"] == "geomean"), None)
    if not mean:
        return "numd’s operations against NumPy’s in process."
    large = [r for r in rows if r["size"] >= 10**5]
    above = len(slower(rows))
    beyond = f"none of {len(large):,} takes" if not above else f"{above:,} of {len(large):,} take"
    return (f"At 10⁵ elements numd’s operations take {digits(mean['value'])} of NumPy’s time in the geometric mean "
            f"over {len({r['op'] for r in rows})} operations and their dtypes; from 10⁵ elements on {beyond} more than "
            f"{LIMIT} times.")


def figures_table(figures):
    lines = []
    for f in figures:
        medians = f"{duration(f['ns'])} : {duration(f['against_ns'])}" if f.get("ns") else ""
        if f.get("calls_per_second"):
            medians = " : ".join(f"{x:,.0f}/s" for x in f["calls_per_second"])
        note = f.get("skipped") or f.get("wrong") or f.get("which") or (
            " – ".join(map(digits, f["quartiles"])) if f.get("quartiles") else "")
        verdict = "" if f["ok"] is None else VERDICTS[f["ok"]]
        lines.append([raised(ESC(f["name"])), value_text(f), target_text(f), verdict, medians, ESC(note)])
    return table(["figure", "measured", "target", "", "medians", "quartiles, or which"], lines, first_wraps=True)


def cell(index, row, reason):
    if row is None:
        return f'<td class="no" data-why="{ESC(reason, quote=True)}">·</td>' if reason else "<td></td>"
    return f'<td class="{bin_of(row["ratio"])}" data-i="{index}">{ratio_text(row["ratio"])}</td>'


def ratio_text(ratio):
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}" if ratio >= 3 else f"{ratio:.2f}".lstrip("0")


class Grid:
    """Rows and reasons by (operation, dtype, size)."""

    def __init__(self, found):
        self.rows = {(r["op"], r["dtype"], r["size"]): (i, r) for i, r in enumerate(found["rows"])}
        self.reasons = {(x["op"], x["dtype"], x["n"]): f"{x['op']} {x['dtype']}: left out: {x['reason']}"
                        for x in found["left_out"]}
        everything = [*self.rows, *self.reasons]
        order = list("biufc")
        self.dtypes = sorted(in_order(key[1] for key in everything),
                             key=lambda d: (order.index(d[0]), int(d.strip("abcdefghijklmnopqrstuvwxyz") or 0)))
        self.sizes = sorted({key[2] for key in everything})
        self.ops = {}
        for r in found["rows"]:
            self.ops.setdefault(r["group"], {})[r["op"]] = None

    def mean(self, op, size):
        return geomean([r for (o, _, n), (_, r) in self.rows.items() if o == op and n == size])

    def body(self, columns, line):
        """Lines of all operations under headings of their groups."""
        out = []
        for group in GROUPS:
            if group in self.ops:
                out.append(f'<tr class="group"><th colspan="{columns}">{ESC(GROUPS[group])}</th></tr>')
                out += [f"<tr><th>{op}</th>{line(op)}</tr>" for op in self.ops[group]]
        return "".join(out)

    def size_table(self, size):
        def line(op):
            mean = self.mean(op, size)
            first = f'<td class="mean {bin_of(mean)}">{ratio_text(mean)}</td>' if mean else "<td></td>"
            return first + "".join(cell(*self.rows.get((op, d, size), (0, None)), self.reasons.get((op, d, size)))
                                   for d in self.dtypes)
        heads = "".join(f"<th>{short(d)}</th>" for d in self.dtypes)
        return (f'<div class="map s{size}"><table><thead><tr><th>operation</th><th>mean</th>{heads}</tr></thead>'
                f"<tbody>{self.body(len(self.dtypes) + 2, line)}</tbody></table></div>")

    def overview(self):
        def strip(op, dtype):
            cells = []
            for size in self.sizes:
                index, row = self.rows.get((op, dtype, size), (0, None))
                cells.append(f'<td class="{bin_of(row["ratio"])}" data-i="{index}"></td>' if row else "<td></td>")
            return '<td class="gap"></td>' + "".join(cells)
        width = len(self.sizes)
        heads = "".join(f'<th></th><th colspan="{width}">{short(d)}</th>' for d in self.dtypes)
        body = self.body(1 + (width + 1) * len(self.dtypes), lambda op: "".join(strip(op, d) for d in self.dtypes))
        return (f'<div class="map overview sall"><table><thead><tr><th>operation</th>{heads}</tr></thead>'
                f"<tbody>{body}</tbody></table></div>")


def heat_map(found):
    grid = Grid(found)
    views = [(str(n), f"{count(n)} elements") for n in grid.sizes] + [("all", "overview")]
    first = str(10**5) if 10**5 in grid.sizes else views[0][0]
    picks, rules = "", ""
    for key, _ in views:
        picks += (f'<input class="pick" type="radio" name="view" id="v{key}"{" checked" if key == first else ""} '
                  f'aria-label="{key}">')
        rules += (f"#v{key}:checked ~ .maps > .s{key} {{ display: block; }} #v{key}:checked ~ .picks label[for=v{key}] "
                  "{ border-color: var(--ring); box-shadow: inset 0 0 0 1px var(--ring); } "
                  f"#v{key}:focus-visible ~ .picks label[for=v{key}] {{ outline: 2px solid var(--ink); }} ")
    labels = "".join(f'<label for="v{key}">{label}</label>' for key, label in views)
    legend = "".join(f'<span class="{name}">{words}</span>' for _, name, words in BINS)
    tables = "".join(grid.size_table(n) for n in grid.sizes) + grid.overview()
    return (f"<style>{rules}</style><div>{picks}<div class=\"picks\">{labels}</div>"
            f'<div class="legend"><span>numd’s time : NumPy’s</span>{legend}</div><div class="maps">{tables}</div>'
            '<p class="detail" id="detail">Tap a cell, or point at it, for its times and what was called. The overview '
            f'has {" and ".join([", ".join(count(n) for n in grid.sizes[:-1]), count(grid.sizes[-1])])} elements side '
            "by side for each dtype. A dot was left out.</p></div>")


def page_data(found):
    """The rows for the page's script, short."""
    how, rows = {}, []
    for r in found["rows"]:
        key = r["numd"], r["numpy"], case_of(r["op"]).note
        rows.append([r["op"], r["dtype"], r["n"], r["numd_ns"], r["numpy_ns"], r["ratio"], r["numd_quartiles_ns"],
                     r["numpy_quartiles_ns"], GROUPS.get(r["group"], ""), how.setdefault(key, len(how)), r["size"]])
    data = dict(rows=rows, how=list(how), bins=[[limit, name] for limit, name, _ in BINS])
    return json.dumps(data, separators=(",", ":")).replace("</", "<\\/")


def all_rows(found):
    sizes = sorted({r["size"] for r in found["rows"]})
    options = "".join(f'<option value="{n}">{count(n)}</option>' for n in sizes)
    heads = "".join(f"<th>{h}</th>" for h in ("operation", "dtype", "elements", "numd", "NumPy", "ratio"))
    return ('<div class="filter"><input id="words" type="search" placeholder="operation, dtype or group" '
            'aria-label="filter"><select id="size" aria-label="size"><option value="">all sizes</option>'
            f'{options}</select></div><p class="dim" id="count"></p>'
            f'<div class="scroll"><table id="rows"><thead><tr>{heads}</tr></thead><tbody></tbody></table></div>'
            '<button class="more" id="more">show all</button>'
            "<noscript><p>This table needs JavaScript; the same rows are in kernels.txt and kernels.json.</p>"
            "</noscript>")


def slower_section(rows):
    found = slower(rows)
    lines = [[ESC(r["op"]), r["dtype"], f"{r['n']:,}", duration(r["numd_ns"]), duration(r["numpy_ns"]),
              f'<span class="bad">{digits(r["ratio"])}</span>'] for r in found]
    heads = ["operation", "dtype", "elements", "numd", "NumPy", "ratio"]
    summary = f"Rows from 10⁵ elements on above {LIMIT}: {len(found)}"
    return details(summary, table(heads, lines)) if found else ""


def banners(found):
    out = ""
    if found["wrong"]:
        rest = found["wrong"][5:]
        out += ('<p class="banner"><strong>Wrong results or errors; this run failed:</strong> '
                f'{ESC("; ".join(found["wrong"][:5]))}{" and " + str(len(rest)) + " more" if rest else ""}</p>')
        if rest:
            out += f"<details><summary>The others</summary>{bullet_list(map(ESC, rest))}</details>"
    notes = notes_text(found["facts"])
    return out + "".join(f'<p class="banner">{ESC(note[0].upper() + note[1:])}</p>' for note in notes)


def sections(found):
    if found["figures"]:
        yield "Figures", figures_table(found["figures"]) + slower_section(found["rows"])
    if found["rows"]:
        yield "Every operation and dtype", heat_map(found)
        yield "All rows", all_rows(found)
    if found["left_out"]:
        lines = [[ESC(op), ESC(where), ESC(reason)] for op, reason, where in left_out_lines(found["left_out"])]
        yield "Left out", (f"<details><summary>{len(lines)} operations or dtypes</summary>"
                           + table(["operation", "where", "reason"], lines) + "</details>")
    yield "Machine", machine_list(found["facts"])
    yield "Method", bullet_list(raised(ESC(text)) for text in found["facts"]["method"])


def page(found):
    body = "".join(f"<h2>{heading}</h2>{content}" for heading, content in sections(found))
    facts = found["facts"]
    script = (f'<script type="application/json" id="data">{page_data(found)}</script>\n'
              f'<script>\n{(HERE / "kernels.js").read_text()}</script>\n') if found["rows"] else ""
    head = (f'<p class="dim">numd: operations against NumPy · {ESC(facts["date"])} · {ESC(facts["cpu"])}</p>'
            f"<h1>{ESC(headline(found))}</h1>")
    return document("numd: operations against NumPy", head, f"{banners(found)}\n{body}\n"
                    '<p class="dim">The numbers behind this page: kernels.json and kernels-run.json beside it.</p>',
                    css=("page.css", "kernels.css"), scripts=script)
