# SPDX-License-Identifier: BSD-3-Clause
"""Pieces of HTML that the reports are made of. What is given to them is HTML already, if not said otherwise."""
import html
import pathlib
import re

from bench.numbers.number_text import digits, duration

ESC = html.escape
HERE = pathlib.Path(__file__).resolve().parent
NOT_MEASURED = "<p>Not measured in this run.</p>"
VERDICTS = {None: "skipped", True: '<span class="good">✓ met</span>', False: '<span class="bad">✗ missed</span>'}


def table(head, lines, first_wraps=False, words=False):
    """words: the cells are sentences rather than numbers."""
    def line_html(line):
        first = '<td class="wrap">' if first_wraps else "<td>"
        return "<tr>" + "".join((first if not i else "<td>") + cell + "</td>" for i, cell in enumerate(line)) + "</tr>"
    heads = "".join(f'<th scope="col">{h}</th>' for h in head)
    about = ' class="words"' if words else ""
    return (f'<div class="scroll" tabindex="0"><table{about}><thead><tr>{heads}</tr></thead>'
            f'<tbody>{"".join(map(line_html, lines))}</tbody></table></div>')


def figure(content, caption="", heading=""):
    return ("<figure>" + (f"<h3>{heading}</h3>" if heading else "") + content
            + (f"<figcaption>{caption}</figcaption>" if caption else "") + "</figure>")


def raised(text):
    """10^5 with its exponent raised."""
    return re.sub(r"10\^(\d+)", r"10<sup>\1</sup>", text)


def bullet_list(items):
    return "<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>"


def details(summary, content, is_open=False):
    return f"<details{' open' if is_open else ''}><summary>{summary}</summary>{content}</details>" if content else ""


def tabs(name, views):
    """One of several views at a time. views: [(key, label, content)]; name and keys are words, the name unique on the
    page. Works without a script."""
    inputs = labels = rules = contents = ""
    for i, (key, label, content) in enumerate(views):
        at = f"{name}-{key}"
        inputs += f'<input class="pick" type="radio" name="{name}" id="{at}"{"" if i else " checked"}>'
        labels += f'<label for="{at}">{label}</label>'
        contents += f'<div class="view" data-view="{at}">{content}</div>'
        rules += (f'#{at}:checked ~ .views > [data-view="{at}"] {{ display: block; }} '
                  f"#{at}:checked ~ .picks label[for={at}] {{ border-color: var(--ring); box-shadow: inset 0 0 0 1px "
                  f"var(--ring); }} #{at}:focus-visible ~ .picks label[for={at}] {{ outline: 2px solid var(--ink); }} ")
    return (f'<style>{rules}</style><div>{inputs}<div class="picks">{labels}</div><div class="views">{contents}</div>'
            "</div>")


def interval(pair, text=digits):
    """"0.31 – 0.35"; a dash where there is none."""
    return f"{text(pair[0])} – {text(pair[1])}" if pair else "–"


def times_interval(pair):
    return interval(pair, duration)


def machine_list(facts):
    run = f"{facts['date']}, {facts['seconds']:.0f} s{', quick' if facts['quick'] else ''}, seed {facts['seed']}"
    disturbance = (f"programs that are no part of this run used {facts['strangers_percent']:.1f} % of a core; the "
                   f"hypervisor took {facts['stolen_percent']:.1f} %")
    if "waiting_clients_percent" in facts:
        disturbance += f"; ways that were waiting for their turn used {facts['waiting_clients_percent']:.2f} %"
    items = [("Processor", f"{facts['cpu']}, {facts['cores']} cores usable"), *facts.get("hardware", {}).items(),
             ("System", f"{facts['system']}, kernel {facts['kernel']}"),
             ("Python, NumPy, BLAS", f"{facts['python']}, {facts['numpy']}, {facts['blas']}"),
             ("Compiler", facts["compiler"]), ("numd", facts["numd"] or "not built"), ("Run", run),
             ("Disturbance", disturbance)]
    return bullet_list(f"<strong>{ESC(k)}:</strong> {ESC(str(v))}" for k, v in items if v)


def document(title, head, body, *, css=(), scripts=""):
    """A whole page without anything from elsewhere. css: names of files beside this one."""
    style = "".join((HERE / name).read_text() for name in css)
    return ('<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f'<title>{title}</title>\n<style>\n{style}</style></head>\n<body><main>\n'
            f"<header>{head}</header>\n{body}\n</main>{scripts}</body></html>\n")
