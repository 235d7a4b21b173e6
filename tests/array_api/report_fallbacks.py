# SPDX-License-Identifier: BSD-3-Clause
"""A plugin of pytest for runs of array-api-tests: everything must have been computed by the daemon.

At the end it prints how many calls the daemon had, and which functions were computed in process by NumPy; one
such function fails the run.
"""

import numd


def pytest_terminal_summary(terminalreporter):
    stats = numd.stats()
    terminalreporter.write_line(f"numd {numd.__version__}: {stats['calls']} calls computed by the daemon")
    for name, count in sorted(stats["fallbacks"].items()):
        terminalreporter.write_line(f"FALLBACK {name}: computed by NumPy in process, {count} times")


def pytest_sessionfinish(session, exitstatus):
    if exitstatus == 0 and numd.stats()["fallbacks"]:
        session.exitstatus = 1
