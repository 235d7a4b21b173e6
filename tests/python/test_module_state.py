# SPDX-License-Identifier: BSD-3-Clause
"""The C extension keeps its state in the module: imported anew it is another module, and the old one is collected."""

import gc
import subprocess
import sys
import weakref

import numd

PRELUDE = """
import gc, sys, weakref

def fresh():
    for name in [name for name in sys.modules if name.split(".")[0] == "numd"]:
        del sys.modules[name]
    import numd
    return numd
"""


def run(text, *words):
    """What the program writes."""
    done = subprocess.run([sys.executable, "-c", PRELUDE + text, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=300)
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_imported_anew_it_is_another_module():
    run("""
old = fresh()
old_twice = old.function(lambda x: x * 2)
old_twice(old.ones(3))  # modules that are imported when they are needed are found by name: before there are others
new = fresh()
new_twice = new.function(lambda x: x * 2)
assert old.Array is not new.Array and old._numd is not new._numd
assert old.default_session() is not new.default_session()
a, b = old.ones(3), new.ones(3)
assert type(a + a) is old.Array and type(b + b) is new.Array
assert type(new.add(b, b)) is new.Array and type(old.sum(a)) is old.Array
assert type(old_twice(a)) is old.Array and type(new_twice(b)) is new.Array
assert type(new_twice(a)) is new.Array
# The one's Array is to the other what any object with a buffer is: copied.
copy = new.asarray(a)
a[0] = 7
assert type(copy) is new.Array and copy.tolist() == [1.0, 1.0, 1.0]
for x, y in (a, b), (b, a):
    try:
        x + y
    except TypeError:
        pass
    else:
        raise AssertionError("their Arrays have nothing in common")
for module, x in (old, a), (new, b):
    try:
        x + module.ones(4)
    except Exception as error:
        assert type(error) is module.ShapeError, error
    else:
        raise AssertionError("3 elements are not 4")
""")


def test_the_state_of_old_modules_is_collected():
    run("""
def use(numd):
    import numpy as np
    a = numd.ones(4)
    f = numd.function(lambda x: {"twice": x + x, "captured": x * a})
    future = f.submit(a)
    assert future.result()["twice"].tolist() == [2.0] * 4
    future.add_done_callback(lambda future: None)
    assert np.sqrt(a).sum() == 4 and a[a > 0].size == 4
    numd.kept = [a, f, future, numd.default_session()]
    types = (numd.Array, numd.Session, numd.Future, numd.function, numd._numd._Plan)
    return [weakref.ref(thing) for thing in (*types, numd._numd, numd, f.__wrapped__)]

def count():
    gc.collect()
    return len(gc.get_objects())

dead, counts = [], []
for _ in range(50):
    dead += use(fresh())
    for name in [name for name in sys.modules if name.split(".")[0] == "numd"]:
        del sys.modules[name]
    counts.append(count())
alive = [ref() for ref in dead if ref() is not None]
assert not alive, alive
assert counts[-1] - counts[9] < 400, counts
""")


def test_sessions_that_were_opened_for_unpickled_arrays_are_collected(other_address):
    run("""
import pickle
numd = fresh()
numd.default_session()
session = numd.connect(sys.argv[1])
array = numd.ones(3, session=session)
text = pickle.dumps(array)
session.close()
copy = pickle.loads(text)  # by a session that nobody else has
assert (copy + 1).tolist() == [2.0] * 3
refs = [weakref.ref(numd.Session), weakref.ref(numd.Array)]
del numd, session, array, copy
for name in [name for name in sys.modules if name.split(".")[0] == "numd"]:
    del sys.modules[name]
gc.collect()
assert not [ref() for ref in refs if ref()]
""", other_address)


class Node:
    pass


def test_a_function_whose_plans_refer_to_it_is_collected():
    a, node = numd.ones(3), Node()
    node.function = numd.function(lambda x, node: x + a, static=["node"])
    assert node.function(a, node).tolist() == [2.0, 2.0, 2.0]  # the plan is for this node
    ref = weakref.ref(node)
    del node
    gc.collect()
    assert ref() is None


def test_a_result_that_refers_to_its_future_is_collected():
    twice = numd.function(lambda x: [x + x])
    future = twice.submit(numd.ones(3))
    node = Node()
    node.future = future
    future.result().append(node)
    ref = weakref.ref(node)
    del node, future
    gc.collect()
    assert ref() is None


def test_an_error_whose_traceback_holds_its_future_is_collected():
    def fail():
        witness = Node()
        future = numd.function(lambda x: x + x).submit(numd.ones(3))
        future.cancel()
        try:
            future.result()
        except numd.CancelledError:
            pass
        return weakref.ref(witness)

    ref = fail()
    gc.collect()
    assert ref() is None


def test_a_function_taken_apart_with_a_call_under_way_leaves_its_memory_alone():
    """The daemon may write what the call names until it is over, whoever still refers to the Future."""
    run("""
numd = fresh()
import numpy as np
slow = numd.function(lambda x: [x @ x @ x])
big = numd.ones((700, 700))
for _ in range(3):
    held = [slow.submit(big)]
    held.append(held)
    del held
    gc.collect()
assert slow.submit(big).result()[0][0, 0] == 490000.0
""")


def test_an_array_works_to_the_end_of_the_interpreter():
    """Which takes modules, types and objects apart in an order of its own."""
    written = run("""
class Late:
    def __init__(self, array):
        self.array = array
    def __del__(self):
        assert (self.array + 1).tolist() == [2.0] * 4
        print("computed")

late = sys.modules["last"] = Late(fresh().ones(4))
""")
    assert written == "computed\n"
