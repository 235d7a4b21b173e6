# SPDX-License-Identifier: BSD-3-Clause
"""numd.function: a Python function is traced, and becomes one program."""
