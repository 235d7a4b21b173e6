# SPDX-License-Identifier: BSD-3-Clause
"""The results as text: in the terminal and as Markdown for the README."""
from bench.harness import machine
from bench.numbers import stats
from bench.numbers.number_text import count, digits
from bench.subjects import catalog

CASE_TITLES = {"add": "a + b", "sum": "sum(a)", "expr": "a*b + sqrt(a) - exp(b)", "matmul": "a @ b"}
DATA_TITLES = {"digits": "handwritten digits, 1797 x 64", "photo": "photo, 427 x 640 x 3",
               "diabetes": "diabetes patients, 442 x 10"}


def variant(row):
    return tuple(row[k] for k in ("way", "client", "mode", "wait"))


def variant_label(key, known):
    """As on the command line, for --ways: names, not titles."""
    way, client, mode, wait = key
    return " ".join(filter(None, [way, client if way in known.several else None, mode, wait]))


def block(rows, columns, known):
    """(variants in their order, {(variant, column): row}); a column is (case, n, data)."""
    variants, cells = [], {}
    for row in rows:
        column = (row["case"], row["n"], row["data"])
        if column in columns:
            key = variant(row)
            if key not in variants:
                variants.append(key)
            cells[key, column] = row
    gears = [None, *catalog.GEARS]
    variants.sort(key=lambda v: (known.rank(v[:3]), gears.index(v[3]) if v[3] in gears else 0))
    return variants, cells


def cell_text(row, nothing):
    """"0.35 (0.80)": µs and times NumPy."""
    if row is None:
        return nothing
    return digits(row["p50_ns"] / 1e3) + (f" ({digits(row['ratio'])})" if row.get("ratio") else "")


def columns_of(rows):
    """[(title, [(heading, column)])]: a block for each case, then for each data set."""
    out = []
    for case, title in CASE_TITLES.items():
        sizes = sorted({r["n"] for r in rows if r["case"] == case and r["data"] is None})
        if sizes:
            out.append((f"{case}: {title}", [(count(n), (case, n, None)) for n in sizes]))
    for data, title in DATA_TITLES.items():
        found = []
        for case in CASE_TITLES:
            row = stats.find(rows, case=case, data=data)
            if row:
                found.append(("gram" if case == "matmul" else case, (case, row["n"], data)))
        if found:
            out.append((f"{data}: {title}", found))
    return out


def terminal_block(title, columns, rows, known):
    variants, cells = block(rows, [c for _, c in columns], known)
    lines = [f"{title}   (median, µs; in brackets: times NumPy in process)",
             " " * 32 + "".join(f"{heading:>17}" for heading, _ in columns)]
    for key in variants:
        texts = []
        for _, column in columns:
            texts.append(cell_text(cells.get((key, column)), "-"))
        lines.append(f"{variant_label(key, known):<32}" + "".join(f"{t:>17}" for t in texts))
    return "\n".join(lines)


def figures_text(figures):
    lines = [f"{'figure':<60}{'measured':>10}{'target':>10}        {'95 % interval':>17}"]
    for f in figures:
        value = "skipped" if f["value"] is None else digits(f["value"])
        verdict = {None: "", True: "  ok", False: "  MISSED"}[f["ok"]]
        ci = " to ".join(map(digits, f["ci"])) if f["ci"] else ""
        lines.append(f"{f['name']:<60}{value:>10}{'<= ' + digits(f['target']):>10}{verdict:<8}{ci:>17}".rstrip())
    return "\n".join(lines)


def terminal(results, known):
    rows, facts = results["rows"], results["machine"]
    parts = [terminal_block(title, columns, rows, known) for title, columns in columns_of(rows)]
    floors = [r for r in rows if r["case"] == "floor"]
    if floors:
        parts.append("floors (plain C, median µs)\n" + "\n".join(
            f"{r['way']:<32}{digits(r['p50_ns'] / 1e3):>17}" for r in floors))
    parts.append(figures_text(results["figures"]))
    if facts["skipped"]:
        parts.append("skipped\n" + "\n".join(
            "  " + " ".join(filter(None, [s["way"], s["client"], s["mode"], s["wait"], s["case"]])) + ": " + s["reason"]
            for s in facts["skipped"]))
    parts += [f"note: {text}" for text in machine.disturbances(facts)]
    return "\n\n".join(parts) + "\n"


README_COLUMNS = [("add 64", ("add", 64, None)), ("sum 64", ("sum", 64, None)), ("expr 64", ("expr", 64, None)),
                  ("add 10⁶", ("add", 10**6, None)), ("expr 10⁶", ("expr", 10**6, None)),
                  ("matmul 512", ("matmul", 512, None)), ("expr on a photo", ("expr", 819840, "photo"))]


def summary_series(known):
    """The series that the README's table has, in their order."""
    return [key for key in known.order if key[2] in known.by_client[key[:2]].summary]


def markdown(results, known):
    """The main table for the README: medians in µs, and how many times NumPy in process."""
    rows, facts = results["rows"], results["machine"]
    columns = [(h, c) for h, c in README_COLUMNS if stats.find(rows, case=c[0], n=c[1], data=c[2])]
    _, cells = block(rows, [c for _, c in columns], known)
    lines = ["| median, µs (times NumPy) | " + " | ".join(h for h, _ in columns) + " |",
             "|---|" + "---:|" * len(columns)]
    for key in summary_series(known):
        variant_key = (*key, known.last_wait(key[0]))
        texts = [cell_text(cells.get((variant_key, column)), "–") for _, column in columns]
        if any(t != "–" for t in texts):
            lines.append(f"| {known.series_title(key)} | " + " | ".join(texts) + " |")
    about = f"{facts['cpu']}, {facts['cores']} cores, {facts['system']}, NumPy {facts['numpy']}."
    return "\n".join(lines) + f"\n\n{about}\n"
