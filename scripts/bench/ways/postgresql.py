# SPDX-License-Identifier: BSD-3-Clause
"""PostgreSQL: the arrays are columns (bytea) of a row, and NOTIFY wakes the other side, which LISTENs; over a Unix
socket. The tables are unlogged, so that nothing waits for the disk."""
import os
import select

from bench.harness.partner import Partner, bytes_call, compute_bytes, raw
from bench.subjects.way import Way

WAYS = [Way(name="postgresql", title="PostgreSQL", group="servers", client="python", opening=(None,), summary=(None,),
            largest=10**5, modules=(("psycopg2", "python3-psycopg2"),),
            server="postgresql")]


class Listener:
    """A connection that hears of one channel."""

    def __init__(self, channel):
        import psycopg2
        self.connection = psycopg2.connect(os.environ["BENCH_SERVER"])
        self.connection.autocommit = True
        self.cursor = self.connection.cursor()
        self.run(f"listen {channel}")

    def run(self, statement, values=()):
        self.cursor.execute(statement, values)

    def wait(self):
        while not self.connection.notifies:
            select.select([self.connection], [], [])
            self.connection.poll()
        self.connection.notifies.clear()

    def take(self, table):
        self.run(f"delete from {table} returning *")
        return self.cursor.fetchone()


def serve(job, ready):
    listener = Listener("asked")
    os.write(ready, b"1")
    while True:
        listener.wait()
        answer = compute_bytes(job, listener.take("asked"))
        listener.run("insert into done values (%s); notify done", (answer,))


def open_call(job):
    listener = Listener("done")
    listener.run("create unlogged table if not exists asked (a bytea, b bytea); "
                 "create unlogged table if not exists done (result bytea); truncate asked, done")
    heard, ready = os.pipe()
    partner = Partner(serve, job, ready)
    os.close(ready)
    os.read(heard, 1)
    os.close(heard)
    sent = [raw(x) for x in job.inputs] + [None] * (2 - len(job.inputs))

    def call():
        listener.run("insert into asked values (%s, %s); notify asked", sent)
        listener.wait()
        return listener.take("done")[0]

    def close():
        partner.stop()
        listener.connection.close()

    return bytes_call(job, call, partner.pid, close)
