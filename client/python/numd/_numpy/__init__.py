# SPDX-License-Identifier: BSD-3-Clause
"""NumPy's protocols, functions and methods on Arrays: computed by the daemon, or by NumPy in this process."""
