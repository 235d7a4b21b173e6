# SPDX-License-Identifier: BSD-3-Clause
"""The report's section about the kernels: what the last run of `make bench-kernels` in the same directory found, as a
small heat map, with a link to its own page, which has every dtype."""
import html
import json

from bench.kernels.kernel_figures import geomean
from bench.kernels.kernel_report import BINS, GROUPS, bin_of, headline, ratio_text
from bench.numbers.number_text import count
from bench.page.html_parts import HERE

ESC = html.escape


def load(directory):
    """What `make bench-kernels` left in the directory; None if there is nothing complete."""
    try:
        return {"rows": json.loads((directory / "kernels.json").read_text()),
                **json.loads((directory / "kernels-run.json").read_text())}
    except (OSError, ValueError):
        return None


def section(directory):
    found = directory and load(directory)
    if not found or not found["rows"]:
        return ""
    facts = found["facts"]
    css = (HERE / "kernels.css").read_text()
    legend = "".join(f'<span class="{name}">{words}</span>' for _, name, words in BINS)
    link = ' <a href="kernels.html">All dtypes, times and calls</a>.' if (directory / "kernels.html").exists() else ""
    return (f"<style>{css}</style><p>{ESC(headline(found))} From <code>make bench-kernels</code> of "
            f"{ESC(facts['date'])}, another run than the rest of this page.{link}</p>"
            f'<div class="legend"><span>numd’s time : NumPy’s</span>{legend}</div>' + heat_map(found["rows"]))


def heat_map(rows):
    """A cell an operation and size: the geometric mean over its dtypes."""
    sizes = sorted({r["size"] for r in rows})
    cells = {}
    for row in rows:
        cells.setdefault((row["group"], row["op"]), {}).setdefault(row["size"], []).append(row)
    out = ""
    for group, title in GROUPS.items():
        lines = "".join(operation(op, sizes, found) for (g, op), found in cells.items() if g == group)
        out += f"<h3>{ESC(title)}</h3><ul class=\"ops\">{lines}</ul>" if lines else ""
    return (f'<p class="dim">Geometric means over dtypes, at {", ".join(map(count, sizes))} elements.</p>' + out)


def operation(op, sizes, found):
    values = ""
    for size in sizes:
        mean = geomean(found.get(size, []))
        values += f'<b class="{bin_of(mean)}">{ratio_text(mean)}</b>' if mean else "<b></b>"
    return f"<li><span>{ESC(op)}</span>{values}</li>"
