# SPDX-License-Identifier: BSD-3-Clause
"""Processes of a run: their processor time, the clients, and the private daemon."""
import contextlib
import ctypes
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time

from bench import SCRIPTS

ANSWER_TIMEOUT_S = 90
LAST_WORDS_S = 1.0  # for a client to say itself that its other side is gone


class Failed(Exception):
    """A client cannot do what it was told; the text says why."""


def cpu_ns(pid):
    """Processor time that a process and its threads have used so far; 0 if it is gone."""
    try:
        return time.clock_gettime_ns((~pid << 3) | 2)  # the kernel's number for another process's CPU clock
    except OSError:
        return 0


def tree(pid):
    """A process and all its descendants."""
    children = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except OSError:
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found = [pid]
    for parent in found:
        found.extend(children.get(parent, []))
    return found


forker = 0  # in a process that was forked: which one forked it


def note_forker():
    global forker
    forker = os.getpid()


os.register_at_fork(before=note_forker)


def die_with_parent():
    """In a new child: ends it when its parent ends, however that happens."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if forker and os.getppid() != forker:  # it has died already
        os._exit(1)


def remove_leftovers():
    """Removes the shared memory of ways whose process, by its name's third part, is gone."""
    for name in os.listdir("/dev/shm") if os.path.isdir("/dev/shm") else ():
        owner = name.split("-")[2] if name.startswith("numd-bench-") else ""
        if owner.isdigit() and not os.path.exists(f"/proc/{owner}"):
            pathlib.Path(f"/dev/shm/{name}").unlink(missing_ok=True)  # another run may be removing it, too


def end(process, patience_s=3):
    """Ends a child by its pid, politely first. True if that was enough."""
    polite = True
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        polite = False
        process.kill()
        process.wait()
    return polite


def environment(context, daemon=None, paths=(), **more):
    """What a process of ours runs with: it finds numd's package, this one and what else is in `paths`, and the daemon,
    if there is one; nothing that the user's environment says of numd counts."""
    out = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")} | more
    if daemon:
        out["NUMD_SOCKET"] = daemon.address
    places = [context.build / "python", SCRIPTS, context.peers, *paths]
    return dict(out, PYTHONPATH=os.pathsep.join(map(str, places)))


class Client:
    """A runner process of one way."""

    def __init__(self, command, directory, environment, log):
        self.command, self.directory, self.environment, self.log = command, directory, environment, log
        self.process = None

    def start(self):
        self.process = subprocess.Popen(self.command, cwd=self.directory, env=self.environment,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log,
                                        preexec_fn=die_with_parent)
        os.set_blocking(self.process.stdout.fileno(), False)

    def read_line(self, deadline, others):
        """others: {pidfd: pid} of processes without which there will be no answer."""
        answer, late = b"", f"no answer within {ANSWER_TIMEOUT_S} s"
        while not answer.endswith(b"\n"):
            wait = max(0, deadline - time.monotonic())
            ready = select.select([self.process.stdout, *others], [], [], wait)[0]
            if not ready:
                raise Failed(late)
            if self.process.stdout not in ready:
                late = f"the other side (pid {others[ready[0]]}) ended in the middle of a call"
                others, deadline = {}, time.monotonic() + LAST_WORDS_S
                continue
            piece = os.read(self.process.stdout.fileno(), 1 << 20)
            if not piece:
                raise Failed(f"the client ended ({describe_exit(self.process.wait())})")
            answer += piece
        return answer

    def ask(self, command, partners=()):
        """Sends a command; the answer. Failed if it is an error, or the client hangs or dies, or one of its partners
        (pids) dies meanwhile."""
        if self.process is None:
            self.start()
        others = {}
        try:
            for pid in partners:
                others[os.pidfd_open(pid)] = pid
            self.process.stdin.write(command.encode() + b"\n")
            self.process.stdin.flush()
            answer = json.loads(self.read_line(time.monotonic() + ANSWER_TIMEOUT_S, others))
        except (Failed, OSError) as error:
            self.stop(patience_s=0.2)
            raise Failed(str(error)) from None
        finally:
            for descriptor in others:
                os.close(descriptor)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def stop(self, patience_s=5):
        if self.process is None:
            return
        try:
            self.process.stdin.close()
            self.process.wait(patience_s)
        except (OSError, subprocess.TimeoutExpired):
            for pid in reversed(tree(self.process.pid)[1:]):
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            end(self.process)
        self.process = None


def describe_exit(status):
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"


class Daemon:
    """A daemon of our own, on a socket in a directory of our own."""

    def __init__(self, program, directory, log, **environment):
        self.address = str(pathlib.Path(directory) / "numd.sock")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("NUMD_")} | environment
        self.process = subprocess.Popen([str(program), "--socket", self.address], env=environment, stdout=log,
                                        stderr=log, preexec_fn=die_with_parent)

    def wait_until_ready(self, patience_s=10):
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            if self.process.poll() is not None:
                raise Failed(f"the daemon ended at once ({describe_exit(self.process.returncode)})")
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(self.address)
                    return
                except OSError:
                    time.sleep(0.02)
        raise Failed(f"the daemon did not listen within {patience_s} s")

    def pids(self):
        return tree(self.process.pid)

    def stop(self):
        end(self.process)


@contextlib.contextmanager
def private_daemon(context):
    """A daemon for this process and its children, which find it by NUMD_SOCKET; it ends with the block, and its
    directory goes."""
    with tempfile.TemporaryDirectory(prefix="numd-bench-") as directory, \
            open(pathlib.Path(directory) / "log", "wb") as log:
        daemon = Daemon(context.build / "numd", directory, log)
        try:
            daemon.wait_until_ready()
            os.environ["NUMD_SOCKET"] = daemon.address
            yield daemon
        finally:
            daemon.stop()
