# SPDX-License-Identifier: BSD-3-Clause
"""What a run measures beside the ways, each by a module of its own:

measure(context, quick, progress)   what results.json holds under its key
html_section(results)               the report's section without its heading; empty if there is nothing to show
wrong(found)                        wrong results in what was found, as sentences; without it they are found["wrong"]
steps(quick)                        how often it calls progress.step(); without it, its progress goes by time
"""
import importlib
import importlib.util
from dataclasses import dataclass

from bench.harness.processes import Failed
from bench.harness.progress import Part

STEPS_A_SECOND = 8  # of a run's progress, about


@dataclass(frozen=True)
class Extra:
    key: str        # in results.json
    name: str       # of the module
    seconds: dict   # about how long it takes: {quick: seconds}

    def share(self, quick):
        """Of a run's progress."""
        return self.seconds[quick] * STEPS_A_SECOND

    @property
    def module(self):
        """None where there is no such module."""
        return importlib.import_module(self.name) if importlib.util.find_spec(self.name) else None

    def wrong(self, found):
        """The wrong results among what its module found."""
        return self.module.wrong(found) if hasattr(self.module, "wrong") else found["wrong"]

    def steps(self, quick):
        """None: not known beforehand."""
        return self.module.steps(quick) if hasattr(self.module, "steps") else None


EXTRAS = [
    Extra("open_loop", "bench.experiments.open_loop", {False: 120, True: 15}),
    Extra("breakdowns", "bench.experiments.breakdown", {False: 120, True: 15}),
    Extra("claims", "bench.claims", {False: 240, True: 40}),
]


def section(key, results):
    """The section's HTML; empty without data or module."""
    module = next((e.module for e in EXTRAS if e.key == key), None)
    return module.html_section(results) if module and results.get(key) else ""


def chosen(arguments):
    """[(extra, whether quickly)] of a run with these arguments. Where only some ways or cases are tried out there are
    none, nor in a quick run of the core ways; one of all ways that is not quick takes its time for them."""
    tried_out = arguments.ways or arguments.cases or arguments.quick and not arguments.all
    names = arguments.extras.split(",") if arguments.extras is not None else [e.key for e in EXTRAS if not tried_out]
    return [(e, arguments.quick or not arguments.all) for e in EXTRAS if e.key in names and e.module]


def measure(chosen_ones, context, progress, bench):
    """{key: what its module found}. One that cannot be measured is skipped; a mistake in one, which is a wrong result,
    loses nothing of what the others found."""
    found = {}
    for extra, quick in chosen_ones:
        part = Part(progress, extra.share(quick), extra.seconds[quick], extra.steps(quick))
        try:
            found[extra.key] = extra.module.measure(context, quick, part)
            bench.wrong += extra.wrong(found[extra.key])
        except (Failed, OSError) as error:
            bench.skipped.append(dict(way=extra.key, client=None, mode=None, wait=None, case=None, reason=str(error)))
            progress.say(f"skipped: {extra.key}: {error}")
        except Exception as error:
            bench.wrong.append(f"{extra.key}: {type(error).__name__}: {error}")
            progress.say("WRONG: " + bench.wrong[-1])
        part.end()
    return found
