"""What a run measures beside the ways, each by a module of its own:

measure(context, quick, progress)   what results.json holds under its key
html_section(results)               the report's section without its heading; empty if there is nothing to show
wrong(found)                        wrong results in what was found, as sentences; without it they are found["wrong"]
steps(quick)                        how often it calls progress.step(); without it, its progress goes by time
"""
import importlib
import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Extra:
    key: str        # in results.json
    name: str       # of the module
    seconds: dict   # about how long it takes: {quick: seconds}

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
    Extra("open_loop", "open_loop", {False: 120, True: 15}),
    Extra("breakdowns", "breakdown", {False: 120, True: 15}),
    Extra("claims", "claims", {False: 240, True: 40}),
]


def section(key, results):
    """The section's HTML; empty without data or module."""
    module = next((e.module for e in EXTRAS if e.key == key), None)
    return module.html_section(results) if module and results.get(key) else ""
