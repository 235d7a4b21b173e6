# SPDX-License-Identifier: BSD-3-Clause
"""SQLite: the arrays are blobs in a row of a file that both sides look at again and again. With a write-ahead log;
nothing waits for the disk."""
import os
import sqlite3

from bench.harness.partner import Partner, Patience, bytes_call, compute_bytes, raw
from bench.subjects.way import BY_VALUE, Way

WAYS = [Way(name="sqlite", title="SQLite", group="servers", client="python", largest=BY_VALUE)]


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = off")
    return connection


def wait_for(connection, query):
    """The row of a query as soon as there is one."""
    patience = Patience()
    while True:
        row = connection.execute(query).fetchone()
        if row:
            return row
        patience.wait()


def serve(job, path):
    connection = connect(path)
    while True:
        _, *pieces = wait_for(connection, "select rowid, a, b from asked")
        answer = compute_bytes(job, pieces)
        connection.execute("begin immediate")
        connection.execute("delete from asked")
        connection.execute("insert into done values (?)", (answer,))
        connection.execute("commit")


def open_call(job):
    path = f"sqlite-{os.getpid()}.db"
    connection = connect(path)
    connection.execute("create table if not exists asked (a, b)")
    connection.execute("create table if not exists done (result)")
    connection.execute("delete from asked")
    connection.execute("delete from done")
    partner = Partner(serve, job, path)
    sent = [raw(x) for x in job.inputs] + [None] * (2 - len(job.inputs))

    def call():
        connection.execute("insert into asked values (?, ?)", sent)
        answer, = wait_for(connection, "select result from done")
        connection.execute("delete from done")
        return answer

    def close():
        partner.stop()
        connection.close()

    return bytes_call(job, call, partner.pid, close)
