# SPDX-License-Identifier: BSD-3-Clause
"""Redis: the arrays' bytes pushed to a list that the other side waits at, the result's to another; over a Unix
socket."""
import os

from bench.harness.partner import Partner, bytes_call, compute_bytes, raw
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="redis", title="Redis", group="servers", client="python", opening=(None,), summary=(None,),
            largest=BY_VALUE, modules=(("redis", "python3-redis"),), server="redis")]


def connect():
    import redis
    return redis.Redis(unix_socket_path=os.environ["BENCH_SERVER"])


def serve(job, asked, done):
    connection = connect()
    while True:
        pieces = [connection.blpop(asked)[1] for _ in job.inputs]
        connection.rpush(done, compute_bytes(job, pieces))


def open_call(job):
    connection = connect()
    asked, done = "asked", "done"
    connection.delete(asked, done)
    partner = Partner(serve, job, asked, done)
    sent = [raw(x) for x in job.inputs]

    def call():
        connection.rpush(asked, *sent)
        return connection.blpop(done)[1]

    def close():
        partner.stop()
        connection.close()

    return bytes_call(job, call, partner.pid, close)
