# SPDX-License-Identifier: BSD-3-Clause
"""What a worker may do is what its client may do, or less."""

import ctypes
import os
import re
import shutil
import stat
import subprocess
import tempfile

import pytest
from clients import attach, status_of, unsanitized
from ledger import note
from stranger import BUILD, Refused, Stranger, eventually, sum_program
from users import ALICE, BOB, PublicDaemon, as_user, only_in_public, only_root

NAME = f"numd-test-rights-{os.getpid()}"
PATH = "/dev/shm/" + NAME
SECRET = b"alice's numbers " * 256
GROUP = 65531  # no account is needed
CAPABILITY_SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


@pytest.fixture
def public():
    d = PublicDaemon()
    yield d
    assert d.stop() == 0


@pytest.fixture
def secret():
    """An object of Alice's; the test says who else may open it."""
    fd = os.open(PATH, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    os.write(fd, SECRET)
    os.fchown(fd, ALICE, GROUP)
    yield fd
    os.close(fd)
    os.unlink(PATH)


def give_up_capabilities():
    """Root stays root by its number alone, as in a container or a hardened service."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, none = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    assert libc.capset(header, none) == 0, os.strerror(ctypes.get_errno())


def opened(path):
    try:
        os.close(os.open(path, os.O_RDWR))
        return True
    except PermissionError:
        return False


def attached(d):
    """Whether the client and its worker can open the object, and the worker's status."""
    with d.connect() as c:
        try:
            c.request("attach", 0, {"name": NAME})
            there = True
        except Refused as e:
            assert e.name == "EACCESS"
            there = False
        attach(c, 1)
        c.request("prepare", 0, sum_program(8))
        assert c.request("call", 0, [[1, 0]]) == 0
        return [opened(PATH), there, c.info["pid"]]


@only_root
def test_root_without_capabilities_gets_a_worker_without(public, secret):
    def visit():
        give_up_capabilities()
        return attached(public)

    assert as_user(0, visit)[:2] == [False, False]
    note("28 root without capabilities", 1, 1)


@only_root
@pytest.mark.parametrize("uid", [0, BOB])
def test_no_worker_has_a_capability(public, uid):
    def visit():
        with public.connect() as c:
            return status_of(c.info["pid"])

    status = as_user(uid, visit, groups=[GROUP])
    for name in CAPABILITY_SETS:
        assert int(status[name], 16) == 0, name
    assert status["Uid"].split() == [str(uid)] * 4 and status["Gid"].split() == [str(uid)] * 4
    assert status["Groups"].split() == [str(GROUP)]
    assert status["NoNewPrivs"] == "1"


@only_root
def test_a_worker_has_its_clients_groups(public, secret):
    os.fchmod(secret, 0o660)
    assert as_user(BOB, lambda: attached(public), groups=[GROUP])[:2] == [True, True]
    assert as_user(BOB, lambda: attached(public))[:2] == [False, False]
    note("28 a user in fewer groups", 1, 1)


@only_root
def test_a_worker_that_keeps_its_groups_opens_no_names(secret):
    """A daemon that is not root's cannot change its workers' groups: a client with fewer has to send descriptors."""
    os.fchown(secret, BOB, GROUP)
    os.fchmod(secret, 0o660)
    d = PublicDaemon(uid=ALICE, groups=[GROUP])
    try:
        assert as_user(ALICE, lambda: attached(d), groups=[GROUP, 7])[:2] == [True, True]
        assert as_user(ALICE, lambda: attached(d))[:2] == [False, False]
    finally:
        assert d.stop() == 0
    note("28 a user in fewer groups", 1, 1)


@only_root
def test_another_root_cannot_look_into_roots_worker(public):
    """Its worker has a way to the supervisor, which has all of root's rights."""
    def visit():
        with public.connect() as c:
            give_up_capabilities()
            try:
                return os.readlink(f"/proc/{c.info['pid']}/fd/3")
            except PermissionError:
                return "no permission"

    assert as_user(0, visit) == "no permission"


# ---- The socket's path ----


def opened_socket(path):
    try:
        Stranger(path).close()
        return True
    except (FileNotFoundError, ConnectionRefusedError):
        return False


@pytest.fixture
def alices_directory():
    path = tempfile.mkdtemp(prefix="numd-test-", dir="/tmp")
    os.chown(path, ALICE, ALICE)
    os.chmod(path, 0o755)
    yield path
    shutil.rmtree(path)


@only_root
@pytest.mark.parametrize("options, mode, group", [
    ((), 0o666, 0), ((f"--allow-uid={ALICE}",), 0o666, 0), ((f"--group={GROUP}",), 0o660, GROUP),
    (("--exit-when-idle=60",), 0o600, 0),
])
def test_the_sockets_mode_is_right_whatever_the_umask(options, mode, group):
    before = os.umask(0o027)
    try:
        d = PublicDaemon(*options)
    finally:
        os.umask(before)
    st = os.lstat(d.path)
    assert (stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid) == (mode, 0, group)
    assert d.stop() == 0


@only_root
@unsanitized
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_nothing_is_changed_by_its_path_where_others_may_write(alices_directory):
    """Between bind and any such call its owner could put something else there."""
    trace = os.path.join(tempfile.mkdtemp(prefix="numd-test-"), "trace")
    d = subprocess.Popen(
        ["strace", "-o", trace, "-e", "trace=chmod,fchmodat,chown,lchown,fchownat,bind",
         os.path.join(BUILD, "numd"), f"--socket={alices_directory}/numd.sock", f"--allow-uid={BOB}", "--spares=0",
         "--exit-when-idle=0.1"], stderr=subprocess.DEVNULL)
    assert eventually(lambda: opened_socket(f"{alices_directory}/numd.sock"))
    assert d.wait(30) == 0
    with open(trace) as f:
        calls = f.read()
    shutil.rmtree(os.path.dirname(trace))
    assert "bind(" in calls and "chmod" not in calls and "chown" not in calls


@only_root
def test_no_group_where_others_may_write(alices_directory):
    done = subprocess.run([os.path.join(BUILD, "numd"), f"--socket={alices_directory}/numd.sock", f"--group={GROUP}"],
                          stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1
    assert "numd.sock cannot be given to the group: others may write in its directory, or own it" in done.stderr
    assert os.listdir(alices_directory) == []


@only_root
def test_a_lock_file_of_another_user(alices_directory):
    lock = alices_directory + "/numd.sock.lock"
    as_user(ALICE, lambda: os.close(os.open(lock, os.O_CREAT)))
    done = subprocess.run([os.path.join(BUILD, "numd"), f"--socket={alices_directory}/numd.sock"],
                          stderr=subprocess.PIPE, text=True, timeout=20)
    assert done.returncode == 1 and f"{lock} is another user's, or no file" in done.stderr


@only_root
@only_in_public
def test_who_takes_the_default_name_in_tmp_denies_nothing():
    """Neither to the daemon nor to its clients, and nobody comes to the daemon of the one who took it."""
    usual = f"/tmp/numd-{ALICE}"
    env = {key: value for key, value in os.environ.items() if key not in ("NUMD_SOCKET", "XDG_RUNTIME_DIR")}
    as_user(BOB, lambda: os.mkdir(usual))

    def work():
        daemon = subprocess.Popen([os.path.join(BUILD, "numd"), "--exit-when-idle=60"], env=env, text=True,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        line = daemon.stderr.readline()
        path = re.search(r"listens at (\S+):", line)
        ping = subprocess.run([os.path.join(BUILD, "numdctl"), "ping"], env=env, timeout=20)
        daemon.terminate()
        daemon.communicate(timeout=20)
        if path:
            os.rmdir(os.path.dirname(path[1]))
        return [line, path and path[1], ping.returncode]

    try:
        line, path, code = as_user(ALICE, work)
    finally:
        os.rmdir(usual)
    assert path and re.fullmatch(usual + "-[^/]{6}/numd.sock", path), line
    assert code == 0
