# SPDX-License-Identifier: BSD-3-Clause
"""The page's section of claims: a card each, with the statement, the verdict, what it rests on, and the figures."""
import html

from bench.claims import claim_words, verdict
from bench.claims.claim import GROUPS
from bench.numbers.number_text import count, digits, duration, power_label
from bench.page.svg import LogScale, Svg, decade_range

ESC = html.escape
CLASSES = {verdict.HOLDS: "holds", verdict.FAILS: "fails", verdict.DEPENDS: "depends"}  # all others: "open"
MARKS = {verdict.HOLDS: "✓", verdict.FAILS: "✗", verdict.DEPENDS: "±"}                  # all others: "?"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 190, 46, 12, 14, 34

CSS = """
.claim-list { list-style: none; padding: 0; max-width: none; }
.claim-list li { display: flex; gap: .6rem; align-items: baseline; } .claim-list a { color: inherit; }
.claim-card { border: 1px solid var(--rule); border-left: 4px solid var(--claim); border-radius: 8px; margin: .8rem 0;
  background: var(--card); padding: .7rem .9rem; overflow-wrap: anywhere; }
.claim-card p { margin: .3rem 0; } .claim-card ul { padding-left: 0; list-style: none; max-width: none; }
.claim-card h4 { margin: 0; font-size: 1rem; } .claim-card h5 { margin: .8rem 0 .2rem; font-size: .9rem; }
.claim-card .scroll { overflow-wrap: normal; }
.claim-holds { --claim: var(--good); } .claim-fails { --claim: var(--bad); }
.claim-depends { --claim: var(--ctypes); } .claim-open { --claim: var(--dim); }
.claim-verdict { color: var(--claim); font-weight: 650; }
.claim-mark { color: var(--claim); font-weight: 650; flex: none; width: 1.1em; display: inline-block; }
.claim-figures { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem; align-items: start; }
.claim-figures > svg { flex: 1 1 18rem; max-width: 420px; } .claim-figures > div { max-width: 100%; margin: 0; }
.claim-point { fill: var(--claim); stroke: var(--claim); } .claim-range { stroke: var(--claim); stroke-width: 2; }
.claim-line { fill: none; stroke: var(--dim); stroke-width: 1.2; }
"""


def css_class(word):
    return f"claim-{CLASSES.get(word, 'open')}"


def mark(word):
    """A sign that says without colour what it means; its words are there for those who do not see it."""
    return f'<span class="claim-mark {css_class(word)}" title="{ESC(word)}">{MARKS.get(word, "?")}</span>'


def label(finding):
    """The verdict in words, with where it turns."""
    turn = claim_words.turning(finding)
    return ESC(finding["verdict"] + (f", turns at {turn}" if turn else ""))


def table(part):
    rows = "".join(
        f"<tr><td>{mark(p['verdict'])}{count(p['n'])}</td><td>{duration(p['over_ns'])}</td>"
        f"<td>{duration(p['under_ns'])}</td><td>{ESC(claim_words.ratio(p))}</td><td>{p['rounds']}</td></tr>"
        for p in part["points"])
    heads = [part["unit"], part["over"], part["under"],
             f"ratio {'>' if part['side'] == 'above' else '<'} {round(part['limit'], 2):g}?", "rounds"]
    cells = "".join(f"<th>{ESC(h)}</th>" for h in heads)
    return f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'


def picture(part):
    """Ratio against size with its interval, and the limit."""
    points = part["points"]
    svg = Svg(WIDTH, HEIGHT, f"{part['over']} : {part['under']} against {part['unit']}")
    x = LogScale(points[0]["n"], points[-1]["n"], LEFT + 14, WIDTH - RIGHT - 14)
    seen = [value for p in points for value in (p["low"], p["high"])] + [part["limit"]]
    y = LogScale(*decade_range(seen), HEIGHT - BOTTOM, TOP)
    decades = y.decades()
    for value in decades[::max(1, len(decades) // 5)]:
        svg.line(LEFT, y(value), WIDTH - RIGHT, y(value))
        svg.text(LEFT - 6, y(value) + 4, power_label(value) if value >= 1 else digits(value), "t dim", "end")
    svg.line(LEFT, y(part["limit"]), WIDTH - RIGHT, y(part["limit"]), "limit")
    svg.path([(x(p["n"]), y(p["ratio"])) for p in points], "claim-line")
    for p in points:
        svg.line(x(p["n"]), y(p["low"]), x(p["n"]), y(p["high"]), f"claim-range {css_class(p['verdict'])}")
        svg.marker(x(p["n"]), y(p["ratio"]), "circle" if p["verdict"] != verdict.UNSHOWN else "ring",
                   f"claim-point {css_class(p['verdict'])}",
                   f"{claim_words.size(p['n'], part['unit'])}: {claim_words.ratio(p)}")
        svg.text(x(p["n"]), HEIGHT - BOTTOM + 16, count(p["n"]), "t dim", "middle")
    svg.text(WIDTH - RIGHT, HEIGHT - 3, part["unit"], "t dim", "end")
    return svg.render()


def figures(part):
    drawn = picture(part) if len(part["points"]) > 2 else ""
    return f'<h5>{ESC(part["what"])}</h5><div class="claim-figures">{drawn}{table(part)}</div>'


def part_line(part):
    aside = "" if part["decides"] else ' <span class="dim">(does not decide)</span>'
    return f"<li>{mark(part['verdict'])} {ESC(part['what'])}: {ESC(claim_words.answer(part))}{aside}</li>"


def card(finding):
    reason = f"<p>{ESC(finding['reason'])}</p>" if finding["reason"] else ""
    lines = f'<ul>{"".join(map(part_line, finding["parts"]))}</ul>' if finding["parts"] else ""
    over_sizes = [p for p in finding["parts"] if p["kind"] == "scan" and len(p["points"]) > 1]
    about = f"{finding['seconds']:.0f} s, seed {finding['seed']}"
    details = (f'<details><summary>Figures by size ({about})</summary>{"".join(map(figures, over_sizes))}</details>'
               if over_sizes else f'<p class="dim">{about}</p>')
    return (f'<article class="claim-card {css_class(finding["verdict"])}" id="claim-{finding["key"]}">'
            f'<h4>{ESC(finding["statement"])}</h4><p class="claim-verdict">{label(finding)}</p>{reason}'
            f'<p>{ESC(finding["experiment"])}</p><p class="dim">Rule: {ESC(finding["rule"])}</p>'
            f"{lines}{details}</article>")


def overview(findings):
    lines = [f'<li>{mark(f["verdict"])}<span><a href="#claim-{f["key"]}">{ESC(f["statement"])}</a> '
             f'<span class="claim-verdict {css_class(f["verdict"])}">{label(f)}</span></span></li>' for f in findings]
    return f'<ul class="claim-list">{"".join(lines)}</ul>'


def html_section(results):
    """The section's HTML without its heading; empty if no claims were settled."""
    findings = results.get("claims")
    if not findings:
        return ""
    cards = []
    for group in GROUPS:
        inside = [f for f in findings if f["group"] == group]
        cards += [f"<h3>{ESC(group)}</h3>"] * bool(inside) + [card(f) for f in inside]
    return (f'<style>{CSS}</style><p class="dim">{ESC(verdict.INTERVALS)}</p>{overview(findings)}{"".join(cards)}')
