# SPDX-License-Identifier: BSD-3-Clause
"""A multiprocessing Manager: an object that lives in its process, and a proxy whose methods take and return arrays."""
from multiprocessing.managers import BaseManager

from bench.harness.numpy_side import compute
from bench.harness.partner import die_with_client
from bench.subjects.way import BY_VALUE, Call, Way

WAYS = [Way(name="mp-manager", title="mp.Manager", group="pickled", client="python", largest=BY_VALUE)]


class Computer:
    compute = staticmethod(compute)


class Manager(BaseManager):
    pass


Manager.register("Computer", Computer)


def open_call(job):
    manager = Manager()
    manager.start(die_with_client)
    names = {"compute": manager.Computer().compute, **dict(zip("ab", job.inputs))}
    sent = ", ".join("ab"[:len(job.inputs)])
    return Call(f"r = compute({job.case!r}, {sent})", names, result=None, close=manager.shutdown,
                partner=manager._process.pid)
