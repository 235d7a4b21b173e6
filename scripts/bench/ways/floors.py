"""What saying something to another process and hearing back takes at least on this machine; plain C."""
from way import Way

WAYS = [Way(name=name, client="c", program="bench/bench-floors", argument=name, floor=True, core=True)
        for name in ("cache-line", "semaphore", "semaphore-same-core", "unix-socket")]
