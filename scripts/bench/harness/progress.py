# SPDX-License-Identifier: BSD-3-Clause
"""A progress bar with the time left, on stderr; plain lines now and then where that is no terminal."""
import shutil
import sys
import time


def clock(seconds):
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


class Progress:
    def __init__(self, total, stream=None):
        self.total, self.done, self.started = max(1, total), 0, time.monotonic()
        self.stream = stream or sys.stderr
        self.bar = self.stream.isatty()
        self.next_line = 0.0

    def step(self, label, weight=1):
        self.done += weight
        part = min(1.0, self.done / self.total)
        passed = time.monotonic() - self.started
        left = passed / part - passed if part else 0
        text = f"{100 * part:3.0f} %  {clock(left)} left  {label}"
        if self.bar:
            width = max(10, min(30, shutil.get_terminal_size().columns - 50))
            full = round(part * width)
            self.stream.write(f"\r\x1b[2K[{'#' * full}{'.' * (width - full)}] {text[:70]}")
        elif passed >= self.next_line:
            self.next_line = passed + 10
            self.stream.write(f"bench: {text}\n")
        self.stream.flush()

    def say(self, text):
        """A line of its own above the bar."""
        self.stream.write(f"\r\x1b[2K{text}\n" if self.bar else f"bench: {text}\n")
        self.stream.flush()

    def end(self):
        if self.bar:
            self.stream.write("\r\x1b[2K")
        self.stream.flush()


class Part:
    """A part of a run with a share of its progress, which goes on by the part's steps, or by time where nobody can
    count them beforehand."""

    def __init__(self, whole, share, seconds, steps=None):
        self.whole, self.share, self.seconds, self.steps = whole, share, seconds, steps
        self.gone, self.done, self.started = 0.0, 0, time.monotonic()

    def step(self, label, weight=1):
        self.done += weight
        passed = time.monotonic() - self.started
        self.advance(label, min(1.0, self.done / self.steps if self.steps else passed / self.seconds))

    def advance(self, label, part):
        weight, self.gone = part * self.share - self.gone, part * self.share
        self.whole.step(label, weight)

    def say(self, text):
        self.whole.say(text)

    def end(self):
        self.advance("", 1.0)
