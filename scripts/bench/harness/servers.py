# SPDX-License-Identifier: BSD-3-Clause
"""Servers that ways talk to: each a private instance of the run, with its data in a directory of its own, on a Unix
socket or a loopback port, never the system's own. It is started before the measurement, waited for with a limit, and
stopped by its pid; it also ends when the harness dies."""
import glob
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from bench.harness.processes import Failed, describe_exit, die_with_parent, tree

PATIENCE_S = 60
INSTALL = "scripts/setup --peers installs"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(address):
    """Whether somebody listens: address is a path or a port."""
    with socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET) as probe:
        probe.settimeout(1)
        try:
            probe.connect(address if isinstance(address, str) else ("127.0.0.1", address))
            return True
        except OSError:
            return False


class Server:
    """One server. A subclass says what it runs and how it is known to answer."""
    package, stop_signal = None, signal.SIGTERM

    def __init__(self, log):
        self.log, self.process, self.helpers = log, None, []
        self.directory = tempfile.mkdtemp(prefix=f"numd-bench-{type(self).__name__.lower()}-")
        self.address = None  # what a client of the way gets in BENCH_SERVER

    @classmethod
    def program(cls):
        """The program's path, or None."""
        raise NotImplementedError

    @classmethod
    def missing(cls):
        return None if cls.program() else f"there is no {cls.package}: {INSTALL} it"

    def spawn(self, command, environment=None, user=None):
        def prepare():
            if user:
                os.setgroups([])
                os.setgid(user.pw_gid)
                os.setuid(user.pw_uid)
            die_with_parent()  # after the change of user, which would undo it
        return subprocess.Popen(command, cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=self.log,
                                stderr=self.log, preexec_fn=prepare, start_new_session=True)

    def launch(self):
        """Starts it: the process."""
        raise NotImplementedError

    def ready(self):
        """Whether it answers by now."""
        raise NotImplementedError

    def start(self, patience_s=PATIENCE_S):
        self.process = self.launch()
        until = time.monotonic() + patience_s
        while not self.ready():
            if self.process.poll() is not None:
                raise Failed(f"the server ended at once ({describe_exit(self.process.returncode)})")
            if time.monotonic() > until:
                raise Failed(f"the server did not answer within {patience_s} s")
            time.sleep(0.05)

    def pids(self):
        return tree(self.process.pid) if self.process and self.process.poll() is None else []

    def stop(self):
        for process, number in [(self.process, self.stop_signal)] + [(h, signal.SIGTERM) for h in self.helpers]:
            if process is None or process.poll() is not None:
                continue
            family = tree(process.pid)[1:]
            process.send_signal(number)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                for pid in family:
                    kill_quietly(pid)
        shutil.rmtree(self.directory, ignore_errors=True)


def kill_quietly(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Redis(Server):
    package = "redis-server"

    @classmethod
    def program(cls):
        return shutil.which("redis-server")

    def launch(self):
        self.address = str(pathlib.Path(self.directory) / "redis.sock")
        return self.spawn([self.program(), "--port", "0", "--unixsocket", self.address, "--dir", self.directory,
                           "--save", "", "--appendonly", "no", "--daemonize", "no", "--logfile", ""])

    def ready(self):
        return answers(self.address)


class PostgreSQL(Server):
    package, stop_signal = "postgresql", signal.SIGINT  # which ends the sessions that are open

    @classmethod
    def program(cls):
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/postgres"), key=lambda p: int(p.split("/")[4]))
        return found[-1] if found else shutil.which("postgres")

    @classmethod
    def missing(cls):
        if os.getuid() == 0 and not cls.user():
            return "PostgreSQL does not run as root, and there is no user postgres"
        return super().missing()

    @staticmethod
    def user():
        try:
            return pwd.getpwnam("postgres") if os.getuid() == 0 else None
        except KeyError:
            return None

    def launch(self):
        user, data = self.user(), str(pathlib.Path(self.directory) / "data")
        if user:
            os.chown(self.directory, user.pw_uid, user.pw_gid)
        if not os.path.exists(data):
            self.make(data, user)
        self.address = f"host={self.directory} user=bench dbname=postgres"
        return self.spawn([self.program(), "-D", data, "-k", self.directory, "-h", "", "-c", "autovacuum=off"],
                          user=user)

    def make(self, data, user):
        initdb = str(pathlib.Path(self.program()).resolve().parent / "initdb")
        made = self.spawn([initdb, "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
                          user=user)
        if made.wait(PATIENCE_S):
            raise Failed(f"initdb: {describe_exit(made.returncode)}")

    def ready(self):
        return (answers(str(pathlib.Path(self.directory) / ".s.PGSQL.5432"))
                and "ready" in pathlib.Path(self.directory, "data", "postmaster.pid").read_text())


class RabbitMQ(Server):
    package = "rabbitmq-server"

    @classmethod
    def program(cls):
        # The one on the path insists on a user of its own; this is what it runs.
        found = glob.glob("/usr/lib/rabbitmq/bin/rabbitmq-server")
        return found[0] if found and shutil.which("epmd") else None

    def launch(self):
        directory = pathlib.Path(self.directory)
        names, port, distribution = free_port(), free_port(), free_port()
        (directory / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{port}\nloopback_users = none\nlog.console = false\n"
            "vm_memory_high_watermark.relative = 0.5\ndisk_free_limit.absolute = 50MB\n")
        (directory / "enabled_plugins").write_text("[].\n")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_"))}
        environment.update(
            HOME=self.directory, ERL_EPMD_PORT=str(names), ERL_EPMD_ADDRESS="127.0.0.1",
            RUNNING_UNDER_SYSTEMD="true",  # makes the start script become the broker
            RABBITMQ_NODENAME=f"numd-bench-{os.getpid()}@localhost", RABBITMQ_CONF_ENV_FILE=str(directory / "none"),
            RABBITMQ_CONFIG_FILE=str(directory / "rabbitmq"), RABBITMQ_DIST_PORT=str(distribution),
            RABBITMQ_MNESIA_BASE=str(directory / "mnesia"), RABBITMQ_LOG_BASE=str(directory / "log"),
            RABBITMQ_PID_FILE=str(directory / "pid"), RABBITMQ_ENABLED_PLUGINS_FILE=str(directory / "enabled_plugins"),
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none "
                                                "-kernel inet_dist_use_interface {127,0,0,1}")
        # Erlang's register of names would stay behind if the broker started it.
        self.helpers = [self.spawn(["epmd", "-port", str(names), "-address", "127.0.0.1"], environment)]
        until = time.monotonic() + 5
        while not answers(names) and time.monotonic() < until:
            time.sleep(0.02)
        self.address = str(port)
        return self.spawn([self.program()], environment)

    def ready(self):
        return answers(int(self.address))


SERVERS = {"redis": Redis, "postgresql": PostgreSQL, "rabbitmq": RabbitMQ}
