"""Beyond one thread: callbacks and asyncio, worker processes, and who holds which memory."""
