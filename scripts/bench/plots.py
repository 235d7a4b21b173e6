"""The pictures of the report, as inline SVG."""
import stats
from svg import LogScale, Svg, count, decade_range, duration, power_label, spread_labels, tight_range

# way -> (class of its colour, marker): the same in all pictures; shapes differ for those who see no colours.
LOOK = {
    "numpy": ("k-numpy", "square"), "numpy-out": ("k-numpy", "square"), "c-direct": ("k-direct", "diamond"),
    "ctypes": ("k-ctypes", "down"), "numd-ring": ("k-ring", "circle"), "numd-socket": ("k-socket", "up"),
    "shm-pipe": ("k-shm", "down"), "pipe": ("k-pipe", "diamond"),
}
FLOOR_NAMES = {"cache-line": "one cache line, both spinning", "semaphore": "semaphores, two cores",
               "semaphore-same-core": "semaphores, one core", "unix-socket": "Unix socket, 64 bytes"}
WAIT_NAMES = {"spin": "spinning", "handoff": "hand-off", "sleep": "sleeping", "auto": "adapting"}
CLIENT_NAMES = {"python": "Python", "c": "C"}
WAY_NAMES = {"numpy": "NumPy, in process", "numpy-out": "NumPy with out=, in process",
             "c-direct": "same kernel, in process", "ctypes": "same kernel by ctypes",
             "numd-ring": "numd, ring", "numd-socket": "numd, socket",
             "shm-pipe": "shared memory + Pipe", "pipe": "Pipe, pickled arrays"}


def look(way):
    return LOOK.get(way, ("k-floor", "ring"))


def name(row, client=True, mode=True):
    if row["case"] == "floor":
        return "floor: " + FLOOR_NAMES.get(row["way"], row["way"])
    parts = [WAY_NAMES.get(row["way"], row["way"])]
    if client and row["way"] in ("numd-ring", "numd-socket", "c-direct"):
        parts[0] += f", {CLIENT_NAMES[row['client']]}"
    if row["wait"]:
        parts.append(WAIT_NAMES[row["wait"]])
    if mode and row["mode"] == "adhoc":
        parts.append("ad hoc")
    return ", ".join(parts)


def short_duration(ns):
    """A decade's label: "10 µs"."""
    unit, size = next((u, s) for u, s in (("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1)) if ns >= s or s == 1)
    return f"{ns / size:g} {unit}"


def dots(rows, width, title):
    """A line a row: median as a marker, p90 and p99 as ticks on a whisker, time to the right on a log axis."""
    narrow = width < 600
    left, right, top = (12, 66, 8) if narrow else (312, 84, 8)
    step = 38 if narrow else 25
    height = top + step * len(rows) + 40
    svg = Svg(width, height, title)
    scale = LogScale(*tight_range([v for r in rows for v in (r["p50_ns"], r["p99_ns"])]), left, width - right)
    bottom = top + step * len(rows) + 4
    for value in scale.decades():
        svg.line(scale(value), top, scale(value), bottom)
        svg.text(scale(value), bottom + 16, short_duration(value), "t dim", "middle")
    svg.text((left + width - right) / 2, bottom + 32, "time of a call (log scale)", "t dim", "middle")
    for i, row in enumerate(rows):
        y = top + step * (i + 0.5) + (8 if narrow else 0)
        class_, shape = look(row["way"])
        if narrow:
            svg.text(left, y - 12, name(row))
        else:
            svg.text(left - 14, y + 4, name(row), "t", "end")
        svg.line(scale(row["p50_ns"]), y, scale(row["p99_ns"]), y, f"whisker {class_}")
        for q in ("p90_ns", "p99_ns"):
            svg.line(scale(row[q]), y - 4, scale(row[q]), y + 4, f"whisker {class_}")
        tip = ", ".join(f"{q} {duration(row[q + '_ns'])}" for q in ("p50", "p90", "p99"))
        svg.marker(scale(row["p50_ns"]), y, shape, class_, f"{name(row)}: {tip}", 5)
        svg.text(width - 4, y + 4, duration(row["p50_ns"]), "t num", "end")
    return svg.render("narrow" if narrow else "wide")


def cpu(rows, width, title):
    """Processor time of a call on both sides: a filled marker for the client, a ring for the other side."""
    narrow = width < 600
    left, right, top = (12, 16, 8) if narrow else (312, 16, 8)
    step = 38 if narrow else 25
    svg = Svg(width, top + step * len(rows) + 40, title)
    values = [max(v or 0, 1) for r in rows for v in (r["cpu_client_ns"], r["cpu_server_ns"])]
    scale = LogScale(*tight_range([v for v in values if v > 1]), left, width - right)
    bottom = top + step * len(rows) + 4
    for value in scale.decades():
        svg.line(scale(value), top, scale(value), bottom)
        svg.text(scale(value), bottom + 16, short_duration(value), "t dim", "middle")
    svg.text((left + width - right) / 2, bottom + 32, "processor time of a call (log scale)", "t dim", "middle")
    for i, row in enumerate(rows):
        y = top + step * (i + 0.5) + (8 if narrow else 0)
        class_, _ = look(row["way"])
        if narrow:
            svg.text(left, y - 12, name(row))
        else:
            svg.text(left - 14, y + 4, name(row), "t", "end")
        for key, shape, side in (("cpu_client_ns", "circle", "client"), ("cpu_server_ns", "ring", "other side")):
            if row[key] and row[key] > 1:
                svg.marker(scale(row[key]), y, shape, class_, f"{name(row)}: {side} {duration(row[key])}", 5)
    return svg.render("narrow" if narrow else "wide")


def x_title(case):
    return "side of the matrices" if case == "matmul" else "elements"


def axes(svg, x, y, box, x_text, y_format):
    left, top, right, bottom = box
    for value in x.decades():
        svg.line(x(value), top, x(value), bottom)
        svg.text(x(value), bottom + 16, power_label(value), "t dim", "middle")
    for value in y.decades():
        svg.line(left, y(value), right, y(value))
        svg.text(right + 6, y(value) + 4, y_format(value), "t dim")
    svg.text((left + right) / 2, bottom + 32, x_text, "t dim", "middle")


def curves(series, title, x_text, y_range, y_format, limit=None):
    """series: [(label, way, [(n, value, tip)])]; log-log, labelled at the left ends, where curves differ most."""
    width, height = 460, 320
    box = left, top, right, bottom = 122, 14, width - 62, height - 44
    svg = Svg(width, height, title)
    xs = [n for _, _, points in series for n, _, _ in points]
    x = LogScale(min(xs) / 1.3, max(xs) * 1.3, left, right)
    y = LogScale(*y_range, bottom, top)
    axes(svg, x, y, box, x_text, y_format)
    if limit:
        svg.line(left, y(limit[0]), right, y(limit[0]), "limit")
        svg.text(left + 4, y(limit[0]) + 14, limit[1], "t dim")
    starts = spread_labels([y(points[0][1]) for _, _, points in series], 15, top + 4, bottom)
    for (label, way, points), start in zip(series, starts):
        class_, shape = look(way.split("/")[0])
        svg.path([(x(n), y(v)) for n, v, _ in points], f"curve {class_} {way.replace('/', ' w-')}")
        for n, v, tip in points:
            svg.marker(x(n), y(v), shape, class_, tip, 3.2)
        x_start, y_start = x(points[0][0]), y(points[0][1])
        svg.path([(x_start - 6, y_start), (left - 8, start), (left - 12, start)], f"leader {class_}")
        svg.text(left - 15, start + 4, label, f"t label {class_}", "end")
    return svg.render("panel")


def of(rows, case, way, client, mode=None, wait=None):
    found = stats.select(rows, case=case, way=way, client=client, mode=mode, wait=wait, data=None)
    return sorted(found, key=lambda r: r["n"])


LATENCY_SERIES = [("NumPy", ("numpy", "python")), ("same kernel, C", ("c-direct", "c")),
                  ("numd ring", ("numd-ring", "python", "prepared", "auto")),
                  ("numd socket", ("numd-socket", "python", "prepared", None)),
                  ("shm + Pipe", ("shm-pipe", "python")), ("Pipe, pickle", ("pipe", "python"))]


def latency(rows, case):
    """Time of a call against size, one case. None if there is nothing to draw."""
    series = []
    for label, key in LATENCY_SERIES:
        found = of(rows, case, *key)
        points = [(r["n"], r["p50_ns"], f"{name(r)}, n = {count(r['n'])}: {duration(r['p50_ns'])}")
                  for r in found]
        if points:
            series.append((label, key[0], points))
    if not series:
        return None
    span = decade_range([v for _, _, points in series for _, v, _ in points], 1.0)
    return curves(series, f"Time of {case} against size", x_title(case), span, short_duration)


def multiples(rows, case):
    """[(label, way/wait, sizes, ratios)] of C clients over the same kernel in process."""
    direct = {r["n"]: r["p50_ns"] for r in of(rows, case, "c-direct", "c")}
    out = []
    for label, way, wait in (("ring, spinning", "numd-ring", "spin"), ("ring, hand-off", "numd-ring", "handoff"),
                             ("ring, sleeping", "numd-ring", "sleep"), ("ring, adapting", "numd-ring", "auto"),
                             ("socket", "numd-socket", None)):
        found = [r for r in of(rows, case, way, "c", "prepared", wait) if direct.get(r["n"])]
        if found:
            out.append((label, f"{way}/{wait}" if wait else way, [r["n"] for r in found],
                        [r["p50_ns"] / direct[r["n"]] for r in found]))
    return out


def cost(rows, case):
    """The cost of IPC as a multiple of in process, against size. None if there is nothing to draw."""
    series = [(label, way, [(n, max(ratio, 0.5), f"{label}, n = {count(n)}: {ratio:.3g} times")
                            for n, ratio in zip(sizes, ratios)])
              for label, way, sizes, ratios in multiples(rows, case)]
    if not series:
        return None
    top = decade_range([v for _, _, points in series for _, v, _ in points], 1.0)[1]
    return curves(series, f"Time of {case} through numd as a multiple of in process", x_title(case),
                  (0.5, max(top, 10)), lambda v: f"{v:g}×", limit=(1.1, "10 % more"))
