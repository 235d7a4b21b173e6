# SPDX-License-Identifier: BSD-3-Clause
"""Findings in words, for the terminal and the page."""
from bench.claims import verdict
from bench.numbers.number_text import count, digits, duration

SENTENCE = {verdict.HOLDS: "yes", verdict.FAILS: "no", verdict.UNSHOWN: "not shown either way"}


def size(n, unit):
    """"1 element", "10⁶ bytes", "about 3,500 rows"."""
    if isinstance(n, float):
        return f"about {round(n, 1 - len(str(int(n)))):,.0f} {unit}" if n >= 10 else f"about {n:.0f} {unit}"
    return f"{count(n)} {unit[:-1] if n == 1 else unit}"


def sizes(numbers, unit):
    """"64, 10³ and 10⁴ elements"."""
    return size(numbers[0], unit) if len(numbers) == 1 else f"{joined(map(count, numbers))} {unit}"


def ratio(p):
    return f"{digits(p['ratio'])} [{digits(p['low'])}, {digits(p['high'])}]"


def joined(texts):
    texts = list(texts)
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else ""


def scan_answer(part):
    """What a ratio over sizes came to: "yes: 6.2 µs : 2 µs = 3.1 [2.9, 3.4]", or for which sizes and where it turns."""
    points = part["points"]
    found = {p["verdict"] for p in points}
    if len(found) == 1:
        low, high = min(points, key=lambda p: p["ratio"]), max(points, key=lambda p: p["ratio"])
        if len(points) == 1:
            return f"{SENTENCE[found.pop()]}: {duration(low['over_ns'])} : {duration(low['under_ns'])} = {ratio(low)}"
        return f"{SENTENCE[found.pop()]}: {digits(low['ratio'])} to {digits(high['ratio'])} times"
    texts = [f"{SENTENCE[word]} for {sizes([p['n'] for p in points if p['verdict'] == word], part['unit'])}"
             for word in SENTENCE if word in found]
    turns = "; it turns at " + joined(size(float(n), part["unit"]) for n in part["turns"]) if part["turns"] else ""
    return ", ".join(texts) + turns


def answer(part):
    return scan_answer(part) if part["kind"] == "scan" else part["seen"]


def turning(finding):
    """The sizes where the parts that decide turn, as a text; empty if none does."""
    texts = [f"{size(float(n), p['unit'])}" for p in finding["parts"] if p["kind"] == "scan" and p["decides"]
             for n in p["turns"]]
    return joined(dict.fromkeys(texts))


def terminal(findings):
    """The table of verdicts, with what decided beneath each."""
    lines = []
    for f in findings:
        turn = turning(f)
        short = "not shown" if f["verdict"] == verdict.UNSHOWN else f["verdict"]
        lines.append(f"{short.upper():<14} {f['statement']}" + (f"  (turns at {turn})" if turn else ""))
        if f["reason"]:
            lines.append(f"    {f['reason']}")
        lines += [f"    {'' if p['decides'] else '('}{p['what']}: {answer(p)}{'' if p['decides'] else ')'}"
                  for p in f["parts"]]
    return "\n".join(lines)
