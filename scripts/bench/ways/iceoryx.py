# SPDX-License-Identifier: BSD-3-Clause
"""iceoryx2, request and response in shared memory: a side loans memory, fills it and sends the reference. The inputs
are copied in, the other side computes straight into the response, and the client reads it in place. Both sides look
again and again, giving way to others meanwhile."""
import ctypes
import gc
import os
import pathlib

import numpy as np

from bench.harness.numpy_side import compute_into
from bench.harness.partner import Patience, SpawnedPartner
from bench.subjects.way import BY_VALUE, Call, Way

WAYS = [Way(name="iceoryx2", title="iceoryx2", group="shared", client="python", largest=BY_VALUE,
            modules=(("iceoryx2", "it from PyPI, where that can be reached"),))]
SHM = pathlib.Path("/dev/shm")


def open_service(prefix):
    """(node, service); all names of theirs begin with the prefix, and files are in the current directory."""
    import iceoryx2
    iceoryx2.set_log_level(iceoryx2.LogLevel.Error)
    config = iceoryx2.config.default()
    config.global_cfg.root_path = iceoryx2.Path.new(f"{os.getcwd()}/iceoryx2")
    config.global_cfg.prefix = iceoryx2.FileName.new(prefix)
    numbers = iceoryx2.Slice[ctypes.c_double]
    node = (iceoryx2.NodeBuilder.new().config(config)
            .signal_handling_mode(iceoryx2.SignalHandlingMode.Disabled).create(iceoryx2.ServiceType.Ipc))
    name = iceoryx2.ServiceName.new("compute")
    return node, node.service_builder(name).request_response(numbers, numbers).open_or_create()


def numbers_at(message, n):
    return np.frombuffer((ctypes.c_double * n).from_address(message.payload_ptr))


def receive(port):
    """The next message, as soon as there is one."""
    patience = Patience()
    while True:
        message = port.receive()
        if message is not None:
            return message
        patience.wait()


def serve(job, prefix):
    _node, service = open_service(prefix)
    n_in, n_out = sum(x.size for x in job.inputs), int(np.prod(job.out_shape or ()))
    server = service.server_builder().initial_max_slice_len(n_out).create()
    while True:
        request = receive(server)
        numbers, inputs, at = numbers_at(request, n_in), [], 0
        for x in job.inputs:
            inputs.append(numbers[at:at + x.size].reshape(x.shape))
            at += x.size
        response = request.loan_slice_uninit(n_out)
        compute_into(job.case, inputs, numbers_at(response, n_out).reshape(job.out_shape or ()))
        response.assume_init().send()
        request.delete()


def open_call(job):
    prefix = f"numd-bench-{os.getpid()}-{os.urandom(4).hex()}-"  # the harness knows it, should we die
    node, service = open_service(prefix)
    n_in, n_out = sum(x.size for x in job.inputs), int(np.prod(job.out_shape or ()))
    client = service.client_builder().initial_max_slice_len(n_in).create()
    partner = SpawnedPartner(__file__, job, prefix)
    partner.wait_until(lambda: service.dynamic_config.number_of_servers)
    kept = []  # the response that the result is in, and what it needs

    def call():
        kept.clear()
        request = client.loan_slice_uninit(n_in)
        numbers, at = numbers_at(request, n_in), 0
        for x in job.inputs:
            numbers[at:at + x.size] = x.reshape(-1)
            at += x.size
        pending = request.assume_init().send()
        kept.extend((receive(pending), pending))

    def close():
        nonlocal client, service, node
        kept.clear()
        client = service = node = None
        gc.collect()
        partner.stop()
        for left in SHM.glob(prefix + "*"):
            left.unlink()

    return Call("call()", {"call": call}, result=lambda: numbers_at(kept[0], n_out).copy(), spoil=kept.clear,
                close=close, partner=partner.pid)
