# SPDX-License-Identifier: BSD-3-Clause
"""Where memory is, who holds it, and that it goes."""

import gc
import mmap
import os
import pathlib
import pickle
import signal
import subprocess
import sys
import time
from multiprocessing import shared_memory

import numpy as np
import pytest

import numd

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from stranger import shared_names  # noqa: E402

LARGE = 3_000_000  # float64s: an array with a segment of its own


def new_session():
    """A session that has no memory of arrays before to use again, and what there was before it."""
    return numd.connect(), {segment["id"] for segment in numd.memory()}


def large_segments(before):
    return [s for s in numd.memory() if s["id"] not in before and s["bytes"] == 24_002_560]


def ends_with(condition):
    """Waits for what another process does; fails after a minute."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    pytest.fail("it did not happen")


@pytest.fixture(autouse=True)
def clean():
    gc.collect()
    ends_with(lambda: all(h["pid"] in (os.getpid(), daemon_pid()) for s in numd.memory() for h in s["holders"]))


def daemon_pid():
    return numd.stats()["daemon"]["pid"]


def holder(code):
    """A process that runs the code with the pickle of an array, says so, and holds what it made."""
    text = f"import numd, pickle, sys\n{code}\nprint('holds', flush=True)\nsys.stdin.readline()"
    process = subprocess.Popen([sys.executable, "-c", text], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "holds\n"
    return process


def kill(process):
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def mapped(inode):
    """The processes that map a memfd. Files elsewhere may have the same number."""
    found = set()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/maps") as maps:
                if any(line.split()[4] == str(inode) for line in maps if "/memfd:" in line):
                    found.add(int(pid))
        except (OSError, IndexError):
            pass
    return found


def test_who_holds_what():
    array = numd.ones(1000)
    mine = numd.memory().of(os.getpid())
    assert any(segment["used"] >= array.nbytes for segment in mine)
    assert f"({os.getpid()})" in repr(mine) and repr(mine).split("\n")[-1].startswith("all")


def test_a_killed_holder_leaves_nothing():
    names = shared_names()
    victim = holder(f"a = numd.ones({LARGE}); b = numd.ones(10)")
    segments = numd.memory().of(victim.pid)
    assert len(segments) >= 2
    kill(victim)
    ends_with(lambda: not numd.memory().of(victim.pid))
    ends_with(lambda: not any(mapped(segment["id"]) for segment in segments))
    ends_with(lambda: shared_names() <= names)  # others' tests make some for a moment


def test_pickled_array_goes_when_nobody_holds_it():
    session, before = new_session()
    array = numd.ones(24_002_560 // 8, session=session)
    (segment,) = large_segments(before)
    same = pickle.loads(pickle.dumps(array))
    other = holder(f"a = pickle.loads({pickle.dumps(array)!r})")
    assert {h["pid"] for h in segment["holders"]} == {os.getpid()}
    del array, same
    assert other.pid in mapped(segment["id"]) and os.getpid() not in mapped(segment["id"])
    kill(other)
    ends_with(lambda: segment["id"] not in [s["id"] for s in numd.memory()])
    assert not mapped(segment["id"])


def test_maker_is_killed_and_the_array_stays_with_its_holder():
    maker = subprocess.Popen(
        [sys.executable, "-c", "import numd, os, pickle, time\na = numd.full(1000, 3.0)\n"
         "os.write(1, pickle.dumps(a)); os.close(1); time.sleep(60)"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    array = pickle.loads(maker.stdout.read())
    maker.kill()
    maker.wait()
    maker.stdout.close()
    assert float(array.sum()) == 3000.0
    array += 1
    assert float(array.sum()) == 4000.0


def test_handle_on_its_way_survives_its_maker():
    code = "import numd, pickle, sys\nsys.stdout.buffer.write(pickle.dumps(numd.full(1000, 3.0)))"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60, check=True)
    assert float(pickle.loads(made.stdout).sum()) == 3000.0


def test_memory_of_small_pickled_arrays_is_used_again():
    before = numd.memory().bytes
    for _ in range(300):
        array = numd.ones(50_000)
        pickle.loads(pickle.dumps(array))
        del array
    assert numd.memory().bytes - before <= 2 * 64 * 2**20


def test_block_is_not_used_again_while_another_process_holds_it():
    array = numd.full(1000, 5.0)
    code = """
import numd, pickle, sys
a = pickle.loads(sys.stdin.buffer.read({}))
print("holds", flush=True)
sys.stdin.readline()
print(a.tolist() == [5.0] * 1000)
"""
    handle = pickle.dumps(array)
    other = subprocess.Popen(
        [sys.executable, "-c", code.format(len(handle))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    other.stdin.write(handle)
    other.stdin.flush()
    assert other.stdout.readline() == b"holds\n"
    del array
    made = []
    for i in range(100):
        made += [numd.full(1000, float(i)) for _ in range(3)]
        pickle.loads(pickle.dumps(numd.full(1000, 9.0)))
    assert other.communicate(b"\n")[0] == b"True\n"


def test_a_handle_is_refused_when_nobody_holds_its_array():
    array = numd.ones(10)
    handle = pickle.dumps(array)
    assert pickle.loads(handle).tolist() == array.tolist() == pickle.loads(handle).tolist()
    del array
    with pytest.raises(numd.Error, match="nobody holds it any more"):
        pickle.loads(handle)


def test_reference_counts_and_cycles_free_memory():
    class Node:
        pass

    session, before = new_session()
    gc.disable()
    try:
        node = Node()
        node.self, node.array = node, numd.ones(24_002_560 // 8, session=session)
        handle = pickle.dumps(node.array)  # so that it is not kept for reuse
        pickle.loads(handle)
        assert len(large_segments(before)) == 1
        del node
        assert len(large_segments(before)) == 1
        gc.collect()
        ends_with(lambda: not large_segments(before))  # its session and that of memory() have a worker each
    finally:
        gc.enable()


def test_forked_child_does_not_keep_the_session():
    code = """
import numd, os, sys, time
a = numd.ones(10)
child = os.fork()
if child == 0:
    os.close(1)
    time.sleep(60)
    os._exit(0)
print(child, flush=True)
os._exit(0)
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = int(parent.stdout.readline())
    parent.wait()
    parent.stdout.close()
    try:
        ends_with(lambda: parent.pid not in [s["client_pid"] for s in numd.stats()["sessions"]])
    finally:
        os.kill(child, signal.SIGKILL)


# ---- Memory of others


def test_attach_the_standard_library_s():
    memory = shared_memory.SharedMemory(create=True, size=4096)
    try:
        np.frombuffer(memory.buf, dtype="int32")[:4] = [1, 2, 3, 4]
        array = numd.attach(memory, dtype="int32", shape=(2,), offset=8)
        array += 10
        assert memory.buf[8] == 13 and array.tolist() == [13, 14]
        assert numd.attach(memory, dtype="float32").shape == (1024,)
        with pytest.raises(numd.BoundsError):
            numd.attach(memory, 4097, "int8")
    finally:
        memory.close()
        memory.unlink()
    assert array.tolist() == [13, 14]


def test_attach_descriptors_and_mmaps():
    fd = os.memfd_create("of-a-test")
    os.ftruncate(fd, 8192)
    view = mmap.mmap(fd, 8192)
    array, same = numd.attach(fd), numd.attach(view, 8, dtype="int64", offset=4096)
    os.close(fd)
    array[512] = 1.0
    assert same.tolist()[0] == np.float64(1).view("int64") and view[4096 + 7] == 0x3F
    view.close()
    assert same.shape == (8,) and array.shape == (1024,)


@pytest.mark.parametrize(
    "make, error, text",
    [
        (lambda: mmap.mmap(-1, 4096), ValueError, "no descriptor"),
        (lambda: [1, 2], TypeError, "memory is a list"),
        (lambda: "no-such-object-of-numd", numd.AccessError, "no-such-object-of-numd"),
    ],
)
def test_attach_refuses(make, error, text):
    with pytest.raises(error, match=text):
        numd.attach(make())


# ---- Too little of it


def test_more_than_the_machine_has():
    with pytest.raises(numd.OutOfMemoryError, match="bytes is wanted; .* are all that"):
        numd.empty(2**50)
    assert issubclass(numd.OutOfMemoryError, MemoryError)


def test_small_dev_shm():
    """In a namespace of its own, with a /dev/shm of 1 MB: arrays do not need it, objects on it are refused."""
    code = """
import numd, os
a = numd.ones(4_000_000)
assert float(a.sum()) == 4e6
from multiprocessing import shared_memory
memory = shared_memory.SharedMemory(create=True, size=2**22)
try:
    numd.attach(memory)
except MemoryError as error:
    print(type(error).__name__, error)
memory.unlink()
small = shared_memory.SharedMemory(create=True, size=2**16)
print(numd.attach(small).sum())
small.unlink()
"""
    mount = "mount -t tmpfs -o size=1m tmpfs /dev/shm && exec \"$0\" -c \"$1\""
    space = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*space, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /dev/shm"], capture_output=True).returncode:
        pytest.skip("the kernel does not allow a mount in a user namespace")
    done = subprocess.run(
        [*space, "sh", "-c", mount, sys.executable, code], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "OutOfMemoryError" in done.stdout and "4194304 are still to be found" in done.stdout
    assert "docker run --shm-size" in done.stdout and "remount,size=" in done.stdout
    assert done.stdout.split("\n")[1] == "0.0"
