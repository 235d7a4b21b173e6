# SPDX-License-Identifier: BSD-3-Clause
"""gRPC over a Unix socket: one method, whose request and reply are the arrays' bytes as they are."""
import os
from concurrent.futures import ThreadPoolExecutor

from bench.harness.partner import SpawnedPartner, bytes_call, compute_bytes, raw
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="grpc", title="gRPC, Unix socket", group="servers", client="python", largest=BY_VALUE,
            modules=(("grpc", "python3-grpcio"),))]
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


def serve(job, address):
    import grpc

    def compute(request, _context):
        pieces, at = [], 0
        for x in job.inputs:
            pieces.append(memoryview(request)[at:at + x.nbytes])
            at += x.nbytes
        return bytes(compute_bytes(job, pieces))

    server = grpc.server(ThreadPoolExecutor(1), options=OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(compute)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Computer", {"Compute": handler})])
    server.add_insecure_port(address)
    server.start()
    server.wait_for_termination()


def open_call(job):
    import grpc
    path = f"{os.getcwd()}/grpc-{os.getpid()}"
    partner = SpawnedPartner(__file__, job, f"unix:{path}")
    partner.wait_until(lambda: os.path.exists(path))
    channel = grpc.insecure_channel(f"unix:{path}", OPTIONS)
    ready = grpc.channel_ready_future(channel)
    partner.wait_until(ready.done)
    compute = channel.unary_unary("/Computer/Compute")

    def close():
        channel.close()
        partner.stop()
        os.unlink(path)

    return bytes_call(job, lambda: compute(b"".join(map(raw, job.inputs))), partner.pid, close)
