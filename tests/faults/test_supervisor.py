# SPDX-License-Identifier: BSD-3-Clause
"""What workers and the supervisor say to each other, and what they may write both: nothing is misunderstood, and a
worker that has gone bad changes nothing for others."""

import os
import random
import signal
import time

from clients import attach
from ledger import note, scaled
from ring import Ring
from stranger import Daemon, sum_program

BLOCK = 64


def stopped_for(rng, first):
    """Seconds: mostly too short for the worker to give a question up, and sometimes longer than that."""
    return 5.2 if first else rng.uniform(5, 10) if rng.random() < 0.05 else rng.uniform(0, 0.3)


def test_no_answer_is_that_of_another_question(tmp_path):
    """The supervisor is stopped for a while, again and again, so that workers give questions up and answers come late.
    Ring calls of the same session go on."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng, times, n_asked, n_given_up = random.Random(seed), scaled(200), 0, 0
    d = Daemon(tmp_path)
    with d.connect(timeout=120) as giver, d.connect() as taker:
        attach(giver)
        token, held, tickets = giver.request("share", 0), set(), set()
        taker.request("attach", 5, {"token": token})
        for block in range(BLOCK, 40 * BLOCK, 2 * BLOCK):
            taker.request("take", 5, block, giver.request("lend", 0, block))
            giver.notify("give", 0, block)
            held.add(block)
        giver.request("prepare", 0, sum_program(8))
        ring = Ring(giver)
        for i in range(times):
            os.kill(d.pid, signal.SIGSTOP)
            try:
                asked = {}
                for _ in range(scaled(10000) // times):
                    block = rng.randrange(40) * BLOCK
                    if rng.random() < 0.1:
                        asked[giver.post("lend", 0, 100 * BLOCK)] = None
                    else:
                        asked[giver.post("returned", 0, [block])] = [block not in held]
                end = time.monotonic() + stopped_for(rng, i == 0)
                while time.monotonic() < end:
                    assert ring.call(0, [0])[0] == 0
                    time.sleep(0.01)
            finally:
                os.kill(d.pid, signal.SIGCONT)
            for _ in asked:
                kind, msgid, error, result = giver.message()
                expected = asked[msgid]
                if error is not None:
                    assert error[1:] == ["EINTERNAL", "the supervisor does not answer"]
                    n_given_up += 1
                elif expected is None:
                    assert result not in tickets
                    tickets.add(result)
                else:
                    assert result == expected, (i, msgid)
                n_asked += 1
    assert n_given_up > 0
    assert d.stop() == 0 and d.complaints() == [], d.log()
    note("23 a late answer", n_asked, n_asked, "the questions that were given up")
