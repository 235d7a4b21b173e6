# SPDX-License-Identifier: BSD-3-Clause
"""A little SVG: shapes, logarithmic axes, labels that keep out of each other's way. Colours are CSS classes,
so that the page decides them, light or dark."""
import html
import math


class Svg:
    def __init__(self, width, height, title, about=""):
        """title and about: for those who cannot see the picture."""
        self.width, self.height, self.parts = width, height, []
        self.title, self.about = title, about

    def add(self, tag, text=None, **attributes):
        pairs = " ".join(f'{key.rstrip("_").replace("_", "-")}="{number(value)}"' for key, value in attributes.items())
        self.parts.append(f"<{tag} {pairs}/>" if text is None else f"<{tag} {pairs}>{html.escape(text)}</{tag}>")

    def text(self, x, y, text, class_="t", anchor="start"):
        self.add("text", text, x=x, y=y, class_=class_, text_anchor=anchor)

    def line(self, x1, y1, x2, y2, class_="grid"):
        self.add("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=class_)

    def path(self, points, class_, tip=None):
        d = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        body = f'<path d="{d}" class="{class_}"'
        self.parts.append(f"{body}><title>{html.escape(tip)}</title></path>" if tip else f"{body}/>")

    def band(self, x1, x2, y, height, class_):
        """A bar along the line y, seen even where it has no width."""
        x1, x2 = (x1, x2) if x2 - x1 >= 1 else ((x1 + x2 - 1) / 2, (x1 + x2 + 1) / 2)
        self.add("rect", x=x1, y=y - height / 2, width=x2 - x1, height=float(height), class_=f"band {class_}")

    def begin(self, class_, series):
        """A group of what belongs to one series, for the page's script to find."""
        self.parts.append(f'<g class="{class_}" data-s="{html.escape(series, quote=True)}">')

    def end(self):
        self.parts.append("</g>")

    def marker(self, x, y, shape, class_, tip=None, size=4.0):
        """shape: circle, square, diamond, up, down; hollow: ring, box, gem."""
        solid = {"ring": "circle", "box": "square", "gem": "diamond"}
        hollow, shape = " hollow" if shape in solid else "", solid.get(shape, shape)
        if shape == "circle":
            body = f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size}" class="{class_}{hollow}"'
        else:
            d = {"square": [(-1, -1), (1, -1), (1, 1), (-1, 1)],
                 "diamond": [(0, -1.35), (1.35, 0), (0, 1.35), (-1.35, 0)],
                 "up": [(0, -1.2), (1.2, 1), (-1.2, 1)], "down": [(0, 1.2), (1.2, -1), (-1.2, -1)]}[shape]
            points = " ".join(f"{x + a * size * 0.9:.1f},{y + b * size * 0.9:.1f}" for a, b in d)
            body = f'<polygon points="{points}" class="{class_}{hollow}"'
        self.parts.append(body + (f"><title>{html.escape(tip)}</title></{body[1:].split()[0]}>" if tip else "/>"))

    def render(self, class_=""):
        return (f'<svg viewBox="0 0 {self.width} {self.height}" role="img" class="{class_}" '
                f'aria-label="{html.escape(self.title, quote=True)}"><title>{html.escape(self.title)}</title>'
                f'<desc>{html.escape(self.about or self.title)}</desc>{"".join(self.parts)}</svg>')


def number(value):
    return f"{value:.1f}" if isinstance(value, float) else html.escape(str(value), quote=True)


class LogScale:
    def __init__(self, low, high, start, end):
        self.low, self.high, self.start, self.end = low, high, start, end

    def __call__(self, value):
        part = math.log(max(value, 1e-12) / self.low) / math.log(self.high / self.low)
        return self.start + part * (self.end - self.start)

    def decades(self):
        first, last = math.ceil(math.log10(self.low) - 1e-9), math.floor(math.log10(self.high) + 1e-9)
        return [10.0**e for e in range(first, last + 1)]


def decade_range(values, room=1.25):
    """Whole decades around the values."""
    values = [v for v in values if v and v > 0] or [1]
    low, high = min(values) / room, max(values) * room
    return 10.0**math.floor(math.log10(low)), 10.0**math.ceil(math.log10(high))


def tight_range(values, room=1.5):
    values = [v for v in values if v and v > 0] or [1]
    return min(values) / room, max(values) * room


def spread_labels(wanted, gap, low, high):
    """Positions near the wanted ones, in the same order, at least `gap` apart, within low..high."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    placed = [min(max(wanted[i], low), high) for i in order]
    for _ in range(200):
        moved = False
        for k in range(len(placed) - 1):
            overlap = gap - (placed[k + 1] - placed[k])
            if overlap > 0.01:
                placed[k] -= overlap / 2
                placed[k + 1] += overlap / 2
                moved = True
        shift = max(0, low - placed[0]) if placed else 0
        placed = [max(p, low + k * gap) if shift else p for k, p in enumerate(placed)]
        placed = [min(p, high - (len(placed) - 1 - k) * gap) for k, p in enumerate(placed)]
        if not moved:
            break
    out = [0.0] * len(wanted)
    for position, i in zip(placed, order):
        out[i] = position
    return out
