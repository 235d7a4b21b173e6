# SPDX-License-Identifier: BSD-3-Clause
"""Many processes, one copy of the data: a pool whose workers standardise slices of one shared array.

PYTHONPATH=build/python python3 client/examples/pool.py
"""

import multiprocessing

import numpy as np

import numd


@numd.function
def standardise(x: numd.Array, mean: numd.Array, scale: numd.Array) -> numd.Array:
    return (x - mean) / scale


def work(job: tuple[numd.Array, numd.Array, numd.Array]) -> int:
    rows, mean, scale = job  # handles travel, not data: `rows` is the parent's memory
    standardise(rows, mean, scale, out=rows)
    return rows.shape[0]


def main() -> None:
    rng = np.random.default_rng(1)
    data = rng.normal(5.0, 3.0, size=(100_000, 8))
    shared = numd.asarray(data)  # one copy, into shared memory
    mean = numd.mean(shared, axis=0)
    scale = numd.sqrt(numd.mean((shared - mean) ** 2, axis=0))
    jobs = [(shared[i : i + 25_000], mean, scale) for i in range(0, 100_000, 25_000)]
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        done = sum(pool.map(work, jobs))
    result = np.asarray(shared)  # a view: the workers' results are here already
    expected = (data - data.mean(axis=0)) / data.std(axis=0)
    print(f"{done} rows, largest difference from NumPy {abs(result - expected).max():.1e}")
    assert done == 100_000 and np.allclose(result, expected)


if __name__ == "__main__":
    main()
