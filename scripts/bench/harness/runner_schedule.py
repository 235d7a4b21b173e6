# SPDX-License-Identifier: BSD-3-Clause
"""What runner.py does beside timing calls: it makes them at given times (see ways_c/scheduled.c), and between two
stamps (ways_c/stamped.c). The statement of a call is compiled into each loop, as it is for timing."""
import array
import pathlib
import time

from bench.harness import garbage

LOOK_NS, SLEEP_WORTH_NS = 200_000, 100_000
COST_PAIRS = 200  # of stamps with nothing between, to tell what a stamp costs

SCHEDULE = """
def run(_due, _latencies, _limit, _wait, _clock, {names}):
    _waited, _start = 0, _clock()
    for _offset in _due:
        _at = _start + _offset
        _waited += _wait(_at)
        if _clock() - _start > _limit:
            break
        {statement}
        _latencies.append(_clock() - _at)
    return _clock() - _start, _waited, {keep}
"""

STAMPS = """
def run(_n, _end, _stamp, _clock, _first, _last, {names}):
    for _done in range(_n):
        if _clock() > _end:
            return _done, {keep}
        _stamp(_first)
        {statement}
        _stamp(_last)
    return _n, {keep}
"""


WARM_UP = """
def run(_clock, _end, {names}):
    while True:
        {statement}
        if _clock() > _end:
            return {keep}
"""


def compile_loop(template, call):
    scope = {}
    keep = "r" if "r = " in call.statement else "None"
    exec(template.format(names=", ".join(call.names), statement=call.statement, keep=keep), scope)
    return scope["run"]


def wait_until(due):
    """Sleeps until shortly before, then looks at the clock; how long it looked, in nanoseconds."""
    now = time.perf_counter_ns()
    if due - now > LOOK_NS + SLEEP_WORTH_NS:
        time.sleep((due - LOOK_NS - now) / 1e9)
        now = time.perf_counter_ns()
    since = now
    while now < due:
        now = time.perf_counter_ns()
    return now - since


def warm_up(call, words):
    """Calls for so long, once at least: a partner may still have to start."""
    ns = int(words[0].partition("=")[2])
    compile_loop(WARM_UP, call)(time.perf_counter_ns, time.perf_counter_ns() + ns, *call.names.values())
    return {}


def run_schedule(call, words):
    """The answer to the command `schedule`, and the last call's value."""
    given = dict(word.split("=", 1) for word in words)
    due, latencies = array.array("q", pathlib.Path(given["times"]).read_bytes()), []
    run = compile_loop(SCHEDULE, call)
    with garbage.collected_before():
        cpu = time.process_time_ns()
        passed, waited, value = run(due, latencies, int(given["limit_ns"]), wait_until, time.perf_counter_ns,
                                    *call.names.values())
        cpu = time.process_time_ns() - cpu
    pathlib.Path(given["to"]).write_bytes(array.array("q", latencies).tobytes())
    return {"done": len(latencies), "passed_ns": passed, "cpu_ns": cpu, "waited_ns": waited}, value


def run_stamps(call, words):
    """The answer to the command `stamps`, and the last call's value."""
    import _bench_stamps as stamps
    given = dict(word.split("=", 1) for word in words)
    run = compile_loop(STAMPS, call)
    with garbage.collected_before():
        end = time.perf_counter_ns() + int(given["limit_ns"])
        done, value = run(int(given["calls"]), end, stamps.stamp, time.perf_counter_ns, stamps.BEGIN, stamps.END,
                          *call.names.values())
        for _ in range(2 * COST_PAIRS):
            stamps.stamp(stamps.COST)
    return {"calls": done}, value
