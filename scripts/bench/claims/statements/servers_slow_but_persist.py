# SPDX-License-Identifier: BSD-3-Clause
"""Redis, RabbitMQ, PostgreSQL and SQLite: against the other ways of IPC, and whether what they were given is still
there after they were killed."""
import contextlib
import os
import signal
import sqlite3

import numpy as np

from bench.claims.claim import Claim, why_not
from bench.claims.verdict import fact, left_out
from bench.harness import servers
from bench.harness.partner import Partner, raw
from bench.harness.processes import end, tree
from bench.numbers.bootstrap import pooled

SIZES = (64, 10**4, 10**5)
OTHERS = ("pipe", "mp-queue", "unix-stream", "mp-array", "eventfd")
NAMES = {"redis": "Redis", "rabbitmq": "RabbitMQ", "postgresql": "PostgreSQL", "sqlite": "SQLite"}
NUMBERS = 10**5


class DurableRedis(servers.Redis):
    """With a log of all changes, which is on the disk before the answer."""

    def spawn(self, command, *arguments, **more):
        return super().spawn([*command, "--appendonly", "yes", "--appendfsync", "always"], *arguments, **more)


def kill(server):
    """All processes of a server, without a word; it can be started again on what is in its directory."""
    for pid in tree(server.process.pid):
        servers.kill_quietly(pid)
    server.process.wait()
    for helper in server.helpers:
        end(helper)


# ---- What each keeps: a function that stores bytes, and one that gives what is there

def redis_client(address):
    import redis
    return redis.Redis(unix_socket_path=address)


def redis_store(address, data):
    redis_client(address).set("array", data)


def redis_load(address):
    return redis_client(address).get("array")


@contextlib.contextmanager
def rabbitmq_channel(address):
    import pika
    connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(address)))
    yield connection.channel()
    connection.close()


def rabbitmq_prepare(address):
    """The durable queue. It is made when the broker has started: one that is killed right after it took a new queue may
    have lost that queue, whatever it confirmed."""
    with rabbitmq_channel(address) as channel:
        channel.queue_declare("kept", durable=True)


def rabbitmq_store(address, data):
    """A persistent message; the broker confirms it when it is on the disk."""
    import pika
    with rabbitmq_channel(address) as channel:
        channel.confirm_delivery()
        channel.basic_publish("", "kept", data, pika.BasicProperties(delivery_mode=2))


def rabbitmq_load(address):
    with rabbitmq_channel(address) as channel:
        channel.queue_declare("kept", durable=True)  # which makes it where it is lost
        return channel.basic_get("kept", auto_ack=True)[2]


def postgresql_run(address, *statements):
    """The last statement's first value."""
    import psycopg2
    with contextlib.closing(psycopg2.connect(address)) as connection, connection, connection.cursor() as cursor:
        for statement, values in statements:
            cursor.execute(statement, values)
        return cursor.fetchone()[0] if cursor.description else None


def postgresql_store(address, data):
    postgresql_run(address, ("create table kept (a bytea)", ()), ("insert into kept values (%s)", (data,)))


def postgresql_load(address):
    return postgresql_run(address, ("select a from kept", ()))


STORES = {"redis": (DurableRedis, redis_store, redis_load),
          "rabbitmq": (servers.RabbitMQ, rabbitmq_store, rabbitmq_load),
          "postgresql": (servers.PostgreSQL, postgresql_store, postgresql_load)}


def survives(name, server, store, load, data):
    """Stores, kills, starts again: the part that says whether what was stored is there."""
    store(server.address, data)
    before = server.process.pid
    kill(server)
    server.start()
    found = load(server.address)
    return kept(NAMES[name], f"process {before} killed, {server.process.pid} started", found, data)


def kept(name, what, found, data):
    same = found is not None and bytes(found) == bytes(data)
    return fact(f"{name}: what was stored is there after a kill", f"{what}: {'the same' if same else 'not the same'} "
                f"{len(found) if found is not None else 0:,} bytes", same)


def sqlite_survives(data):
    """A process that has stored and is killed; we look into its file."""
    path, (heard, told) = "kept.db", os.pipe()

    def store():
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("create table kept (a)")
        connection.execute("insert into kept values (?)", (data,))
        os.write(told, b"1")
        signal.pause()

    partner = Partner(store)
    os.close(told)
    os.read(heard, 1)
    os.close(heard)
    partner.stop()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        found, = connection.execute("select a from kept").fetchone()
    return kept("SQLite", "the process that stored was killed", found, data)


# ---- The experiment

def times(lab, found):
    """Samples of a call by (way, size), of what is there and of the others. found: {name: server}. The ways' names in a
    server are fixed, so that it serves one size at a time."""
    def sides(ways, n):
        out = {}
        for way in OTHERS + tuple(found):
            if found.get(way):
                os.environ["BENCH_SERVER"] = found[way].address
            out[way, n] = ways.open(way, "add", n)
        return out

    samples, sizes = {}, lab.sizes(*SIZES)
    for n in sizes:
        samples.update(lab.time_anew(lambda ways, n=n: sides(ways, n), 1 / len(sizes)))
    return samples


def slower(lab, samples, name):
    """The part that compares one of ours with the slowest of the other ways."""
    for n in sorted({n for _, n in samples}):
        samples["the slowest other", n] = max((samples[way, n] for way in OTHERS), key=lambda s: np.median(pooled(s)))
    part = lab.scan(f"{NAMES[name]} is slower than the slowest of the other ways", name, "the slowest other", samples)
    return dict(part, over=NAMES[name])


def started(lab, kind):
    server = kind(open(os.devnull, "wb"))
    lab.stack.callback(server.stop)
    server.start()
    if kind is servers.RabbitMQ:
        rabbitmq_prepare(server.address)
    return server


def run(lab):
    missing = {name: why_not(name, lab.context) for name in NAMES}
    found = {name: started(lab, servers.SERVERS[name]) if name in STORES else None
             for name in NAMES if not missing[name]}
    samples, data = times(lab, found), bytes(raw(np.random.default_rng(lab.seed).random(NUMBERS)))
    parts = [left_out(NAMES[name], reason) for name, reason in missing.items() if reason]
    parts += [slower(lab, samples, name) for name in found]
    for name, server in found.items():
        if server is None:
            parts.append(sqlite_survives(data))
            continue
        kind, store, load = STORES[name]
        if not isinstance(server, kind):
            server = started(lab, kind)
        parts.append(survives(name, server, store, load, data))
    return parts


CLAIM = Claim(
    statement="Message queues and databases are the slowest, but persist.",
    group="Between processes",
    experiment="Adds two arrays in another process, asked through Redis, RabbitMQ, PostgreSQL and SQLite, and by "
               "multiprocessing’s Pipe and Queue, a Unix socket and shared memory. Then stores 10^5 numbers durably in "
               "each, kills all its processes, starts it again on the same directory, and reads them.",
    rule="Holds if each is slower than the slowest of the others at all sizes for sure, and each still has the same "
         "bytes.",
    run=run, ways=OTHERS)
