# SPDX-License-Identifier: BSD-3-Clause
"""RabbitMQ, a real broker: the arrays' bytes are a message to one queue, the result's to another; both in memory."""
import os

from bench.harness.partner import Partner, bytes_call, compute_bytes, raw
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="rabbitmq", title="RabbitMQ", group="servers", client="python",
            largest=BY_VALUE, modules=(("pika", "python3-pika"),),
            server="rabbitmq")]


def connect():
    import pika
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(os.environ["BENCH_SERVER"])))
    channel = connection.channel()
    for queue in ("asked", "done"):
        channel.queue_declare(queue)
    return connection, channel


def messages(channel, queue):
    for _, _, body in channel.consume(queue, auto_ack=True):
        yield body


def serve(job):
    _, channel = connect()
    for body in messages(channel, "asked"):
        pieces, at = [], 0
        for x in job.inputs:
            pieces.append(memoryview(body)[at:at + x.nbytes])
            at += x.nbytes
        channel.basic_publish("", "done", bytes(compute_bytes(job, pieces)))


def open_call(job):
    connection, channel = connect()
    channel.queue_purge("asked")
    channel.queue_purge("done")
    partner = Partner(serve, job)
    answers = messages(channel, "done")

    def call():
        channel.basic_publish("", "asked", b"".join(map(raw, job.inputs)))
        return next(answers)

    def close():
        partner.stop()
        answers.close()
        connection.close()

    return bytes_call(job, call, partner.pid, close)
