# SPDX-License-Identifier: BSD-3-Clause
"""The rounds in which all ways take turns, with their clients, the daemon and the servers that they talk to."""
import os
import pathlib
import random
import time

import numpy as np

from bench.harness import servers
from bench.harness.processes import Client, Daemon, Failed, cpu_ns, environment, remove_leftovers
from bench.harness.rounds import Quiet, shuffled_while_able
from bench.numbers import stats
from bench.subjects import cases

TURN_BUDGET_NS = {False: 50_000_000, True: 25_000_000}  # quick or not
ROUNDS = {False: 3, True: 2}
LARGE_ROUNDS = 2        # from 10^6 elements on
FIGURE_ROUNDS = {False: 12, True: 6}  # and short turns, where most figures with targets are taken from
FIGURE_BUDGET_NS = {False: 20_000_000, True: 12_000_000}
IDLE_SECONDS = {False: 5.0, True: 3.0}
IDLE_SESSIONS = 10
PATIENCE_S = {False: 40, True: 6}   # spent on waiting for a quiet machine, in all
TIME_LIMIT_S = {False: 270, True: 36}  # measuring; beyond it the remaining cases get one round
TIME_LIMIT_ALL_S = {False: 900, True: 150}  # the same for all ways


class WayRounds:
    def __init__(self, context, ways, points, quick, seed, directory, progress, pinning="none"):
        self.context, self.points, self.quick = context, points, quick
        self.random, self.pinning = random.Random(seed), pinning
        self.directory, self.progress = pathlib.Path(directory), progress
        self.rows, self.skipped, self.wrong, self.shortened = [], [], [], []
        self.daemon, self.clients, self.servers = None, {}, {}
        self.time_limit_s = (TIME_LIMIT_S if all(w.core for w in ways) else TIME_LIMIT_ALL_S)[quick]
        self.log = open(self.directory / "log", "wb")
        self.disturbed_ns = self.measured_ns = 0
        self.quiet = Quiet(PATIENCE_S[quick], looks=3, pause_s=0.002)
        self.started = time.monotonic()
        self.ways = [w for w in ways if self.usable(w)]

    # ---- Clients and the daemon

    def usable(self, way):
        reason = way.missing(self.context)
        if not reason and way.daemon and not (self.context.build / "numd").exists():
            reason = "numd is not built"
        if not reason and way.server:
            reason = servers.SERVERS[way.server].missing()
        if reason:
            self.skip(way, None, reason)
        return not reason

    def skip(self, way, point, reason, mode=None, wait=None):
        entry = dict(way=way.name, client=way.client, mode=mode, wait=wait, case=point and point.label,
                     reason=reason)
        if entry not in self.skipped:
            self.skipped.append(entry)
            about = " ".join(filter(None, [mode, wait, point and point.label]))
            self.progress.say(f"skipped: {way.label} {about}: {reason}")

    def start_daemon(self):
        if not any(w.daemon for w in self.ways):
            return
        try:
            self.daemon = Daemon(self.context.build / "numd", self.directory, self.log)
            self.daemon.wait_until_ready()
        except (Failed, OSError) as error:
            for way in [w for w in self.ways if w.daemon]:
                self.skip(way, None, str(error))
            self.ways = [w for w in self.ways if not w.daemon]

    def start_servers(self):
        for name in sorted({w.server for w in self.ways if w.server}):
            self.servers[name] = servers.SERVERS[name](self.log)
            try:
                self.servers[name].start()
            except (Failed, OSError) as error:
                self.servers.pop(name).stop()
                for way in [w for w in self.ways if w.server == name]:
                    self.skip(way, None, f"{name}: {error}")
                self.ways = [w for w in self.ways if w.server != name]

    def client(self, way):
        key = (way.name, way.client)
        if key not in self.clients:
            server = dict(BENCH_SERVER=self.servers[way.server].address) if way.server else {}
            self.clients[key] = Client(way.command(self.context), self.directory,
                                       environment(self.context, self.daemon, **server), self.log)
        return self.clients[key]

    def close(self):
        """Ends all processes; harmless when they have ended."""
        clients, daemon, running = self.clients, self.daemon, self.servers
        self.clients, self.daemon, self.servers = {}, None, {}
        for each in [*clients.values(), *filter(None, [daemon]), *running.values()]:
            each.stop()
        remove_leftovers()
        self.log.close()

    # ---- Turns

    def others_cpu_ns(self, way):
        """Processor time of those who should be doing nothing during this way's turn."""
        pids = [c.process.pid for key, c in self.clients.items() if c.process and key != (way.name, way.client)]
        if self.daemon and not way.daemon:
            pids.append(self.daemon.process.pid)
        pids += [server.process.pid for name, server in self.servers.items() if name != way.server]
        return sum(map(cpu_ns, pids))

    def pin(self, way, client, others):
        """Puts a way's processes where the run was told to; floors and numd's workers place themselves."""
        if self.pinning == "none" or way.floor:
            return
        cores = sorted(os.sched_getaffinity(0))
        pin_threads(client, cores[0])
        for pid in others if not way.daemon else ():
            pin_threads(pid, cores[-1] if self.pinning == "apart" else cores[0])

    def turn(self, way, words, output):
        """One turn of a way: prepare, measure, finish. The measurement."""
        client = self.client(way)
        partner = client.ask("prepare " + " ".join(words))["partner"]
        partners = partner if isinstance(partner, list) else [partner] * bool(partner)
        others = partners + (self.daemon.pids() if way.daemon else [])
        if way.server:
            others += self.servers[way.server].pids()
            partners.append(self.servers[way.server].process.pid)
        self.pin(way, client.process.pid, others)
        self.quiet.wait(0.3)
        idle, before, start = self.others_cpu_ns(way), {pid: cpu_ns(pid) for pid in others}, time.monotonic_ns()
        try:
            answer = client.ask("measure", partners)
        except Failed:
            if client.process:
                client.ask("finish")  # it must not go on spinning in the others' turns
            raise
        # A worker of an earlier turn may end meanwhile, and its clock with it.
        answer["cpu_server_ns"] = sum(max(0, cpu_ns(pid) - used) for pid, used in before.items())
        self.disturbed_ns += self.others_cpu_ns(way) - idle
        self.measured_ns += time.monotonic_ns() - start
        client.ask(f"finish to={output}" if output else "finish")
        return answer

    def variants(self, point):
        """(way, mode, wait) of all that is to be measured at a point; the floors belong to "add 64"."""
        for way in self.ways:
            if not way.takes(point):
                continue
            for mode in way.modes:
                for wait in way.waits if point.gears else way.waits[-1:]:
                    yield way, mode, wait

    def rounds(self, point):
        if self.late():
            self.shortened.append(point.label)
            return 1
        if point.for_figures:
            return FIGURE_ROUNDS[self.quick]
        return ROUNDS[self.quick] if point.n < 10**6 else LARGE_ROUNDS

    def takes_part(self, way, point, number):
        """Whether a way has a turn in a round: those that are not core have fewer, for time."""
        return way.core or number < (1 if point.n >= 10**6 else ROUNDS[self.quick])

    def measure(self, point):
        """All ways at one point, round by round; adds a row for each that could run."""
        arrays = cases.inputs(point)
        for name, array in zip("ab", arrays):
            array.tofile(self.directory / f"{name}.bin")
        wanted = cases.expected(point, arrays)
        n_rounds = self.rounds(point)

        def turn(variant, number):
            answer = self.try_turn(variant, point, arrays, wanted, number)
            self.progress.step(f"{variant[0].label}  {point.label}", weight(point, self.quick) / n_rounds)
            return answer

        turns = shuffled_while_able(list(self.variants(point)), n_rounds, self.random, turn,
                                    lambda variant, number: self.takes_part(variant[0], point, number))
        for way, mode, wait in self.variants(point):
            if (way, mode, wait) in turns:
                about = dict(case=point.case, dtype="float64", n=point.n, data=point.data)
                self.rows.append(stats.row(way=way.name, client=way.client, mode=mode, wait=wait,
                                           **(dict(case="floor") if way.floor else about),
                                           **stats.merge(turns[way, mode, wait])))

    def late(self):
        return time.monotonic() - self.started > self.time_limit_s

    def try_turn(self, variant, point, arrays, wanted, number):
        way, mode, wait = variant
        budgets = FIGURE_BUDGET_NS if point.for_figures else TURN_BUDGET_NS
        words = [f"case={point.case}", f"budget_ns={budgets[self.quick]}"]
        words += [f"mode={mode}"] * bool(mode) + [f"wait={wait}"] * bool(wait)
        if not way.floor:
            words.append("in=" + ",".join(f"{n}.bin:{'x'.join(map(str, a.shape))}" for n, a in zip("ab", arrays)))
            words += [f"out={'x'.join(map(str, wanted.shape))}"] if wanted.shape else []
        output = self.directory / "out.bin" if number == 0 and not way.floor else None
        try:
            answer = self.turn(way, words, output)
        except Failed as error:
            self.skip(way, point, str(error), mode, wait)
            return None
        wrong = cases.check(point, np.fromfile(output), wanted) if output else None
        if wrong:
            self.wrong.append(" ".join(filter(None, [way.label, mode, wait, wrong])))
            self.progress.say("WRONG: " + self.wrong[-1])
            return None
        return answer

    def measure_idle(self):
        """What the daemon costs while sessions are open that do nothing."""
        way = next((w for w in self.ways if w.daemon and w.client == "c"), None)
        if not way:
            return
        try:
            self.client(way).ask(f"prepare case=idle sessions={IDLE_SESSIONS} wait=auto budget_ns=0")
            time.sleep(1)
            pids, start = self.daemon.pids(), time.monotonic_ns()
            before = sum(map(cpu_ns, pids))
            time.sleep(IDLE_SECONDS[self.quick])
            used, passed = sum(map(cpu_ns, pids)) - before, time.monotonic_ns() - start
            self.client(way).ask("finish")
        except Failed as error:
            self.skip(way, None, f"idle: {error}")
            return
        self.rows.append(stats.row("idle", way.name, way.client, wait="auto", cpu_server_ns=used,
                                   cpu_percent=round(100 * used / passed, 4), sessions=IDLE_SESSIONS,
                                   seconds=round(passed / 1e9, 2)))

    def run(self):
        self.start_daemon()
        self.start_servers()
        for point in self.points:
            self.measure(point)
        self.measure_idle()
        if self.daemon and self.daemon.process.poll() is not None:
            self.wrong.append("the daemon died during the run")


def pin_threads(pid, core):
    """All threads that a process has; those that it starts later follow their maker."""
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            os.sched_setaffinity(int(thread), {core})
    except OSError:
        pass  # it has ended, which its turn will tell


def weight(point, quick):
    """A guess of how long a turn takes, for the progress bar."""
    work = point.n**3 / 300 if point.case == "matmul" else point.n * {"add": 1, "sum": 0.7, "expr": 3}[point.case]
    return (1 if quick else 1.2) + work / 1.5e6
