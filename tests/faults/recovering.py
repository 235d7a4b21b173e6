# SPDX-License-Identifier: BSD-3-Clause
"""A program of a user of numd that goes on whatever becomes of its worker and its daemon: recovering.py COUNTERS.

It computes over and over with arrays that it made at its beginning, by ufuncs, by a function of its own, and by calls
that it does not wait for at once; what was lost it computes again. The counters (of 8 bytes, in a file that is
mapped) say how many rounds were right, how many wrong, how many calls were lost, and whether it is to end.
"""

import mmap
import struct
import sys
import time

import numd
import numpy as np

RIGHT, WRONG, LOST, STOP = range(4)
N = 5000


@numd.function
def scaled(a, b):
    return a * 2.0 + b


def main():
    with open(sys.argv[1], "r+b") as f:
        counters = mmap.mmap(f.fileno(), 32)

    def add(which):
        (value,) = struct.unpack_from("Q", counters, 8 * which)
        struct.pack_into("Q", counters, 8 * which, value + 1)

    session = numd.connect(start=False)  # the test starts the daemon again, nobody else
    a = numd.asarray(np.arange(N, dtype=float), session=session)
    b, out = numd.ones(N, session=session), numd.zeros(N, session=session)
    expected = np.arange(N) * 2.0 + 1.0
    while not counters[8 * STOP]:
        try:
            np.add(a, a, out=out)
            future = scaled.submit(a, b)
            total = a.sum()
            result = np.asarray(future.result(timeout=30))
            doubled = (np.asarray(out) == 2 * np.asarray(a)).all()
            add(RIGHT if doubled and (result == expected).all() and total == N * (N - 1) / 2 else WRONG)
        except ConnectionError:  # the call was lost
            add(LOST)
        except numd.Error as error:
            if error.status != "EUNAVAILABLE":
                raise
            time.sleep(0.002)
    assert (np.asarray(a) == np.arange(N)).all() and (np.asarray(b) == 1).all()


if __name__ == "__main__":
    main()
