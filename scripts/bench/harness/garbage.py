# SPDX-License-Identifier: BSD-3-Clause
"""Python's garbage collector, which runs before a measurement and not within."""
import contextlib
import gc


@contextlib.contextmanager
def collected_before(generation=2):
    gc.collect(generation)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
