# SPDX-License-Identifier: BSD-3-Clause
"""How many examples random tests try: EXAMPLES, of the environment, times what each asks for."""

import os

from hypothesis import settings

TIMES = float(os.environ.get("EXAMPLES") or 1)


def examples(n):
    """Settings of a test that tries n examples where nothing else is asked for."""
    return settings(max_examples=max(1, round(n * TIMES)))
