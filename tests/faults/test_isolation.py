# SPDX-License-Identifier: BSD-3-Clause
"""Workers hold nothing that they do not need, and no user gets at another's arrays.

What the sandbox itself forbids is in tests/unit/test_sandbox.c; here are real workers, and real users where root runs
the tests.
"""

import ctypes
import os
import random
import re
import resource
import subprocess
import tempfile

import pytest
from clients import BYTES, attach, session_of, status_of, unsanitized
from stranger import BUILD, Daemon, Goodbye, Refused, eventually, sum_program
from users import ALICE, BOB, PublicDaemon, User, as_user, only_in_public, only_root

REMOVED, ALICES = (f"numd-test-{word}-{os.getpid()}" for word in ("removed", "alices"))  # this run's own


@unsanitized
def test_what_a_session_reports_is_what_the_kernel_says(daemon):
    with daemon.connect() as c:
        worker, held = status_of(c.info["pid"]), session_of(c)["sandbox"]
        assert {"identity", "no_new_privs", "limits"} <= set(held)
        assert worker["NoNewPrivs"] == "1"
        assert ("seccomp" in held) == (worker["Seccomp"] == "2")
        lsms = "/sys/kernel/security/lsm"
        if os.path.exists(lsms):
            assert ("landlock" in held) == ("landlock" in open(lsms).read())
        limits = {name: resource.prlimit(c.info["pid"], getattr(resource, f"RLIMIT_{name}"))
                  for name in ("CORE", "NOFILE", "MEMLOCK", "MSGQUEUE", "DATA")}
        assert limits["CORE"] == limits["MEMLOCK"] == limits["MSGQUEUE"] == (0, 0)
        assert limits["NOFILE"][1] < 8192
        assert 0 < limits["DATA"][0] <= limits["DATA"][1] < 1 << 50


def test_sessions_tell_of_a_daemon_without_sandbox(tmp_path):
    d = Daemon(tmp_path, "--no-sandbox")
    with d.connect() as c:
        assert set(session_of(c)["sandbox"]) - {"untraced"} == {"identity", "no_new_privs"}
        assert status_of(c.info["pid"])["Seccomp"] == "0"
    assert d.stop() == 0


@unsanitized
def test_private_memory_of_a_worker_is_bounded(tmp_path):
    """A call whose copies do not fit is refused; the session goes on."""
    n_bytes = 512 << 20
    d = Daemon(tmp_path, "--worker-memory=256M")
    with d.connect() as c:
        attach(c, 0, n_bytes)
        n = n_bytes // 8
        operand = ["array", ["float64", [n], None]]
        c.request("prepare", 0, {"operands": [operand], "ops": [["sort", [0], {}], ["sum", [1], {}]],
                                 "outputs": [[2, {"result": True}]]})
        with pytest.raises(Refused) as e:
            c.request("call", 0, [[0, 0]])
        assert e.value.name == "ENOMEMORY"
        assert c.request("ping") is None
    assert d.stop() == 0 and d.complaints() == []


def kinds_of_descriptors(pid):
    """Where the descriptors lead, without the numbers."""
    names = []
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            names.append(os.readlink(f"/proc/{pid}/fd/{fd}").split(":[")[0])
        except FileNotFoundError:
            pass  # the listing's own
    return sorted(names)


def test_a_worker_has_only_the_descriptors_of_its_session(tmp_path):
    """Nothing that the daemon's starter left open, no scoreboard, no listening socket, none of another session."""
    with tempfile.NamedTemporaryFile() as secret:
        d = Daemon(tmp_path, pass_fds=[secret.fileno()])
        with d.connect() as other, d.connect() as c:
            attach(other)
            attach(c, 3)
            allowed = {"/dev/null", d.log_path, "socket", "anon_inode", "pipe", "/memfd:faults (deleted)"}
            names = kinds_of_descriptors(c.info["pid"])
            assert {name.replace("anon_inode:[eventfd]", "anon_inode") for name in names} <= allowed, names
            assert names.count("socket") == 2, "its client's and the supervisor's"
            assert names.count("/memfd:faults (deleted)") == 1
            with open(f"/proc/{c.info['pid']}/environ") as f:
                assert "LISTEN_FDS" not in f.read()
            assert secret.name not in kinds_of_descriptors(d.pid)
        assert d.stop() == 0


def test_shared_memory_is_left_out_of_core_files(daemon):
    with daemon.connect() as c:
        attach(c)
        c.request("open_channel", {"wait": "sleep"})
        with open(f"/proc/{c.info['pid']}/smaps") as f:
            flags, name = {}, ""
            for line in f:
                if re.match("[0-9a-f]+-", line):
                    name = line.split(maxsplit=5)[5] if "memfd:" in line else ""
                elif line.startswith("VmFlags:") and name:
                    flags[name.split()[0]] = line.split()
    for name in ("/memfd:faults", "/memfd:numd-channel", "/memfd:numd-scoreboard"):
        assert "dd" in flags[name], name


def test_names_that_were_removed_are_marked(daemon):
    """As logind does with those of a user who logs out: sessions keep the memory, and one can see what happened."""
    path = "/dev/shm/" + REMOVED
    fd = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    os.ftruncate(fd, BYTES)
    os.close(fd)
    with daemon.connect() as c:
        c.request("attach", 0, {"name": REMOVED})
        assert f'"{REMOVED}"' in c.request("memory")
        os.unlink(path)
        assert f'"{REMOVED} (unlinked)"' in c.request("memory")
        c.request("prepare", 0, sum_program(8))
        assert c.request("call", 0, [[0, 0]]) == 0


# ---- Who may connect ----


def attempt(d):
    """How a connection goes, in a word or a sentence."""
    try:
        with d.connect() as c:
            return c.request("ping") or "served"
    except (Refused, Goodbye) as e:
        return f"{e.name}: {e.sentence}"
    except PermissionError:
        return "no permission"


@only_root
@pytest.mark.parametrize("options, expected", [
    ((), ("served", "served")),
    ((f"--allow-uid={ALICE}",), ("served", "EACCES")),
    ((f"--group={ALICE}",), ("served", "no permission")),
    ((f"--group={ALICE}", f"--allow-uid={BOB}"), ("served", "served")),
    (("--exit-when-idle=60",), ("no permission", "no permission")),
])
def test_who_may_connect_to_roots_daemon(options, expected):
    d = PublicDaemon(*options)
    try:
        for uid, word in zip((ALICE, BOB), expected):
            assert as_user(uid, lambda: attempt(d)).startswith(word)
        assert attempt(d) == "served"
    finally:
        assert d.stop() == 0


@only_root
def test_a_member_of_the_group_by_its_other_groups():
    d = PublicDaemon("--group=3")
    try:
        assert as_user(BOB, lambda: attempt(d), groups=[7, 3]) == "served"
        os.chmod(d.path, 0o666)  # then it is the daemon that refuses
        assert as_user(BOB, lambda: attempt(d), groups=[7]) == (
            f"EACCESS: this daemon serves user 0 and those it was told to, not user {BOB}: start your own, or have it "
            f"started with --allow-uid={BOB} or --group=NAME")
    finally:
        assert d.stop() == 0


@only_root
@only_in_public
def test_the_client_library_says_what_to_do():
    d = PublicDaemon("--exit-when-idle=60")
    try:
        text = as_user(BOB, lambda: subprocess.run([os.path.join(BUILD, "numdctl"), "--socket", d.path, "ping"],
                                                   stderr=subprocess.PIPE, text=True, timeout=20).stderr)
    finally:
        assert d.stop() == 0
    assert f"another user's: its daemon must be told --allow-uid={BOB}" in text


@only_root
@only_in_public
def test_guests_are_served_without_the_daemons_rights():
    """A daemon of Alice's that serves Bob would open her objects for him, by their names: it opens none."""
    d = PublicDaemon(f"--allow-uid={BOB}", uid=ALICE)
    path = "/dev/shm/" + ALICES

    def visit():
        with d.connect() as c:
            try:
                c.request("attach", 0, {"name": ALICES})
                return "attached"
            except Refused as e:
                attach(c, 1)
                c.request("prepare", 0, sum_program(10))
                return [e.name, c.request("call", 0, [[1, 0]]), session_of(c)["sandbox"]]

    try:
        as_user(ALICE, lambda: os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600)))
        os.truncate(path, 4096)
        name, total, held = as_user(BOB, visit)
        assert (name, total) == ("EACCESS", 0.0) and "identity" not in held
        assert as_user(ALICE, lambda: attempt(d)) == "served"
    finally:
        os.unlink(path)
        assert d.stop() == 0


# ---- Two users ----

SECRET = b"alice's numbers " * 8
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206


def alice(d):
    """Shares, publishes and uses arrays, and tells where they are."""
    def run(say, wait):
        with d.connect() as c:
            data = attach(c)
            data[: len(SECRET)] = SECRET
            named = os.open("/dev/shm/" + ALICES, os.O_CREAT | os.O_RDWR, 0o600)
            os.ftruncate(named, BYTES)
            c.request("attach", 1, {"name": ALICES})
            token = c.request("share", 0)
            c.request("publish", "results", 0, 0, b"", False)
            c.request("open_channel", {"wait": "sleep"})
            c.request("prepare", 0, sum_program(8))
            before = c.request("call", 0, [[0, 0]])
            say({"worker": c.info["pid"], "client": os.getpid(), "token": token.hex()})
            wait()
            assert data[: len(SECRET)] == SECRET and c.request("call", 0, [[0, 0]]) == before
            os.close(named)
            os.unlink("/dev/shm/" + ALICES)
            say("all there")
    return run


def opened(path, flags=os.O_RDONLY):
    """Whether a path can be opened."""
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
        return True
    except OSError:
        return False


def listed(path):
    try:
        return [os.path.join(path, name) for name in os.listdir(path)]
    except OSError:
        return []


def ways_in_by_proc(pids):
    for pid in pids:
        for place in ("fd", "map_files"):
            for path in listed(f"/proc/{pid}/{place}"):
                yield f"list {path}"
        # The names are few: what cannot be listed may still be guessed.
        for n in range(32):
            if opened(f"/proc/{pid}/fd/{n}", os.O_RDWR):
                yield f"/proc/{pid}/fd/{n}"
        for name in ("mem", "maps", "environ", "stack", "syscall"):
            if opened(f"/proc/{pid}/{name}"):
                try:
                    with open(f"/proc/{pid}/{name}", "rb") as f:
                        if f.read(1):
                            yield f"/proc/{pid}/{name}"
                except OSError:
                    pass


def ways_in_by_tracing(pids):
    libc = ctypes.CDLL(None, use_errno=True)
    for pid in pids:
        for request in (PTRACE_SEIZE, PTRACE_ATTACH):
            if libc.ptrace(request, pid, None, None) == 0:
                yield f"ptrace {request} of {pid}"
        pidfd = libc.syscall(434, pid, 0)
        if pidfd >= 0 and libc.syscall(438, pidfd, 3, 0) >= 0:
            yield f"descriptor 3 of {pid}"
        try:
            os.kill(pid, 0)
            yield f"signal to {pid}"
        except PermissionError:
            pass


def answered(c, method, *params):
    """What a request gives; None if it is refused."""
    try:
        return c.request(method, *params) or True
    except Refused:
        return None


def ways_in_by_asking(c, token, rng):
    """Tokens next to the right one and at random, names, other sessions' segments, lists."""
    wrong = [bytes([*token[:i], token[i] ^ 1 << rng.randrange(8), *token[i + 1:]]) for i in range(len(token))]
    wrong += [rng.randbytes(16) for _ in range(1000)] + [bytes(16), b"\xff" * 16]
    for guess in wrong:
        if guess != token and answered(c, "attach", 9, {"token": guess}):
            yield f"token {guess.hex()}"
    for name in (ALICES, "/" + ALICES, "../shm/" + ALICES, "./" + ALICES):
        if answered(c, "attach", 9, {"name": name}):
            yield f"object {name}"
    for name in ("results", "65533/results", "alice/results"):
        if answered(c, "open", name):
            yield f"published {name}"
    for segment in range(16):
        for method, more in (("share", ()), ("detach", ()), ("lend", (0,)), ("take", (0, 1))):
            if answered(c, method, segment, *more):
                yield f"{method} {segment}"
    if "faults" in c.request("memory") or "alices" in c.request("memory"):
        yield "the list of memory"


def ways_in_by_own_worker(c):
    """Bob's own worker, which has a way to the supervisor and a map of the scoreboard, is not his to look into."""
    yield from ways_in_by_proc([c.info["pid"]])
    yield from ways_in_by_tracing_only(c.info["pid"])


def ways_in_by_tracing_only(pid):
    """Signals to a process of one's own user are no way in."""
    for way in ways_in_by_tracing([pid]):
        if not way.startswith("signal"):
            yield way


def bob(d, where, seed):
    def run():
        rng = random.Random(seed)
        pids = [where["worker"], where["client"], d.pid]
        found = [*ways_in_by_proc(pids), *ways_in_by_tracing(pids)]
        with d.connect() as c:
            found += ways_in_by_asking(c, bytes.fromhex(where["token"]), rng)
            found += ways_in_by_own_worker(c)
        found += [p for p in listed("/dev/shm") if opened(p, os.O_RDWR) and "alices" in p]
        found += [p for p in (d.path + ".lock", d.log_path) if opened(p, os.O_WRONLY)]
        return found
    return run


@only_root
def test_one_user_finds_no_way_into_anothers_arrays():
    seed = random.randrange(1 << 32)
    print("seed", seed)
    d = PublicDaemon()
    owner = User(ALICE, alice(d))
    try:
        where = owner.said()
        assert as_user(BOB, bob(d, where, seed)) == []
        # The same attempts do find ways where there are some: the tests can fail.
        assert len(as_user(ALICE, bob(d, where, seed))) > 3
        os.write(owner.gate, b"x")
        assert owner.said() == "all there"
    finally:
        owner.close()
        if os.path.exists("/dev/shm/" + ALICES):
            os.unlink("/dev/shm/" + ALICES)
        assert d.stop() == 0, d.log()


@only_root
def test_memory_of_one_user_is_not_given_to_the_next():
    """A token ends with its object: what was one user's is not found by it later."""
    d = PublicDaemon()

    def share():
        with d.connect() as c:
            attach(c)[: len(SECRET)] = SECRET
            return c.request("share", 0).hex()

    def take(token):
        with d.connect() as c:
            return answered(c, "attach", 0, {"token": bytes.fromhex(token)})

    try:
        token = as_user(ALICE, share)
        assert eventually(lambda: as_user(BOB, lambda: take(token)) is None), "when her session has ended"
    finally:
        assert d.stop() == 0


