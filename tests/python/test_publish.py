# SPDX-License-Identifier: BSD-3-Clause
"""Named arrays: they last, whoever made them is gone, and they go when they are taken back."""

import os
import signal
import subprocess
import sys

import numpy as np
import pytest

import numd


@pytest.fixture(autouse=True)
def no_names():
    yield
    for name in numd.published():
        numd.unpublish(name)


def run(code):
    done = subprocess.run([sys.executable, "-c", f"import numd\n{code}"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_other_process_finds_the_same_memory():
    array = numd.asarray(np.arange(12.0).reshape(3, 4))
    numd.publish("table/1", array[:, ::-2])
    assert run("a = numd.open('table/1'); a += 100; print(a.shape)").split("\n")[0] == "(3, 2)"
    assert array.tolist() == [[0, 101, 2, 103], [4, 105, 6, 107], [8, 109, 10, 111]]
    assert numd.published() == ["table/1"]


def test_array_survives_its_publisher():
    run("numd.publish('small', numd.arange(5)); numd.publish('large', numd.ones(2_000_000))")
    assert numd.open("small").tolist() == [0, 1, 2, 3, 4]
    assert float(numd.open("large").sum()) == 2e6


def test_array_survives_a_publisher_that_is_killed():
    code = "import numd, time; numd.publish('victim', numd.ones(2_000_000)); print('done', flush=True); time.sleep(60)"
    victim = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert victim.stdout.readline() == "done\n"
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    assert float(numd.open("victim").sum()) == 2e6


def test_publisher_does_not_use_the_memory_for_something_else():
    numd.publish("kept", numd.full(100, 7.0))
    others = [numd.full(100, float(i)) for i in range(200)]
    assert numd.open("kept").tolist() == [7.0] * 100
    assert [float(a[0]) for a in others] == [float(i) for i in range(200)]


def test_unpublished_memory_goes_with_its_last_holder():
    numd.publish("a", numd.ones(5_000_000))
    held = numd.open("a")
    numd.unpublish("a")
    assert float(held.sum()) == 5e6 and 40_000_000 < numd.memory().bytes
    before = numd.memory().bytes
    del held
    assert before - numd.memory().bytes >= 40_000_000


def test_names():
    array = numd.zeros(3)
    for name in ["", "a b", "x" * 128, 'a"b', "ä", "a\n"]:
        with pytest.raises(ValueError, match="name: 1 to 127"):
            numd.publish(name, array)
    with pytest.raises(TypeError, match="ndarray"):
        numd.publish("a", np.zeros(3))
    for function in [numd.open, numd.unpublish]:
        with pytest.raises(KeyError, match="no array is published as 'nothing'"):
            function("nothing")


def test_a_name_is_replaced_only_if_asked():
    numd.publish("n", numd.zeros(2))
    with pytest.raises(FileExistsError, match="'n' already"):
        numd.publish("n", numd.ones(2))
    assert numd.open("n").tolist() == [0, 0]
    old = numd.open("n")
    numd.publish("n", numd.ones(2), replace=True)
    assert numd.open("n").tolist() == [1, 1] and old.tolist() == [0, 0]
    numd.publish("n", old, replace=True)
    assert numd.open("n").tolist() == [0, 0] and numd.published() == ["n"]


def test_each_daemon_has_its_own_names(other_address):
    with numd.connect(other_address, start=False) as session:
        numd.publish("here", numd.zeros(2))
        numd.publish("there", numd.zeros(2, session=session))
        assert numd.published() == ["here"] and numd.published(session=session) == ["there"]
        assert numd.open("there", session=session).tolist() == [0, 0]


def test_numdctl_lists_them():
    numdctl = os.path.join(os.path.dirname(os.environ["NUMD_DAEMON"]), "numdctl")
    numd.publish("listed", numd.zeros(2))
    arrays = subprocess.run([numdctl, "arrays"], capture_output=True, text=True, check=True).stdout
    assert arrays == "listed\n"
    memory = subprocess.run([numdctl, "memory"], capture_output=True, text=True, check=True).stdout
    assert "'listed'" in memory and f"({os.getpid()})" in memory
