# SPDX-License-Identifier: BSD-3-Clause
"""Mistakes that mypy must find, one a line; it is not run."""

import numd


@numd.function
def scaled(x: numd.Array, factor: float = 2.0) -> numd.Array:
    return x * factor


a = numd.ones(3)
a.shapes  # error: attr-defined
numd.ones(3, device=1)  # error: arg-type
numd.add(a)  # error: call-arg
numd.sort(a, reverse=True)  # error: call-arg
numd.connect(door="window")  # error: arg-type
scaled(a, factor="2")  # error: call-overload
scaled.submit(a).result().nothing  # error: attr-defined
numd.config(fallback="loud")  # error: arg-type

