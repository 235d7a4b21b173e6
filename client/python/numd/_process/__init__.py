# SPDX-License-Identifier: BSD-3-Clause
"""Beyond one thread: callbacks and asyncio, worker processes, and who holds which memory."""
