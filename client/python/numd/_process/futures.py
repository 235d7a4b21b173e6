# SPDX-License-Identifier: BSD-3-Clause
"""Futures in asyncio, and callbacks of futures.

A loop waits for a thread's calls by one descriptor, on which the daemon sends a byte when one of them is done; it is
watched only while there is something to wait for. A future that another thread submitted, and callbacks, are left
to a thread that waits for the futures of one submitting thread, which are done in their order.
"""

import asyncio
import logging
import os
import queue
import threading

from .._numd import Future

log = logging.getLogger("numd")


# ---- In a loop


class Watch:
    """The calls of this thread over one connection that a loop waits for."""

    watches = threading.local()  # by descriptor

    def __init__(self, loop, fd):
        self.loop = loop
        self.fd = fd  # the library's, which may close it; ours is a copy
        self.copy = os.dup(fd)
        self.waiting = {}  # a future's waiter: the future
        loop.add_reader(self.copy, self.look)

    @classmethod
    def of(cls, loop, fd):
        known = cls.watches.__dict__
        watch = known.get(fd)
        if watch is None or watch.loop is not loop or not os.path.sameopenfile(fd, watch.copy):
            if watch is not None:
                watch.hand_over()
            watch = known[fd] = cls(loop, fd)
        return watch

    def look(self):
        """Something is done, or the session ended."""
        try:
            while os.read(self.copy, 4096):
                pass
        except BlockingIOError:
            pass
        for waiter, future in list(self.waiting.items()):
            if future.done() and not waiter.done():
                waiter.set_result(None)

    def forget(self, waiter):
        self.waiting.pop(waiter, None)
        if not self.waiting:
            self.end()

    def hand_over(self):
        """Another loop of this thread takes the descriptor: a thread tells the waiters in this loop when they are done."""
        self.close()
        if not self.loop.is_closed():
            for waiter, future in self.waiting.items():
                _wake_from_thread(self.loop, waiter, future)

    def end(self):
        if self.watches.__dict__.get(self.fd) is self:
            del self.watches.__dict__[self.fd]
            Future._notify_off(self.fd)
        self.close()

    def close(self):
        if self.copy >= 0:
            if not self.loop.is_closed():
                self.loop.remove_reader(self.copy)
            os.close(self.copy)
            self.copy = -1


async def wait(future):
    """What the future gives; cancelling the wait cancels the call."""
    if future.done():
        return future.result()
    loop = asyncio.get_running_loop()
    waiter, fd = loop.create_future(), future._notify()
    watch = None if fd is None else Watch.of(loop, fd)
    if watch is None:
        _wake_from_thread(loop, waiter, future)
    else:
        watch.waiting[waiter] = future
    try:
        if not future.done():  # after the daemon was told that somebody waits
            await waiter
    except asyncio.CancelledError:
        future.cancel()
        raise
    finally:
        if watch is not None:
            watch.forget(waiter)
    return future.result()


def _wake_from_thread(loop, waiter, future):
    add_done_callback(future, lambda _: loop.call_soon_threadsafe(_wake, waiter))


def _wake(waiter):
    if not waiter.done():
        waiter.set_result(None)


async def call(submit, args, kwargs):
    return await wait(submit(*args, **(kwargs or {})))


# ---- Callbacks


class Waiter(threading.Thread):
    """Waits for the futures of one thread, one after another, and calls back."""

    of_thread = threading.local()
    IDLE_SECONDS = 1.0

    def __init__(self):
        super().__init__(name="numd-callbacks", daemon=True)
        self.todo = queue.SimpleQueue()
        self.lock = threading.Lock()
        self.over = False

    @classmethod
    def put(cls, future, callback):
        waiter = getattr(cls.of_thread, "waiter", None)
        if waiter is None or not waiter.is_alive() or not waiter.take(future, callback):  # dead: we were forked
            waiter = cls.of_thread.waiter = cls()
            waiter.take(future, callback)
            waiter.start()

    def take(self, future, callback):
        with self.lock:
            if not self.over:
                self.todo.put((future, callback))
            return not self.over

    def run(self):
        while True:
            try:
                future, callback = self.todo.get(timeout=self.IDLE_SECONDS)
            except queue.Empty:
                with self.lock:
                    self.over = self.todo.empty()
                if self.over:
                    return
                continue
            future.exception()
            call_back(future, callback)
            del future, callback


def add_done_callback(future, callback):
    if future.done():
        call_back(future, callback)
    else:
        Waiter.put(future, callback)


def call_back(future, callback):
    try:
        callback(future)
    except Exception:
        log.exception("a callback of %r failed", future)
