# SPDX-License-Identifier: BSD-3-Clause
"""What the system tells of the processor and of how it is set, for the report; "not told by this machine" where it does
not, as in many virtual machines."""
import ctypes
import os
import pathlib

UNTOLD = "not told by this machine"
CPUS = pathlib.Path("/sys/devices/system/cpu")


def read(path):
    """A file's text without blanks around it; None if it cannot be read."""
    try:
        return pathlib.Path(path).read_text().strip() or None
    except OSError:
        return None


def of_cores(name, cores, top=CPUS):
    """What the usable cores say in a file of theirs: the values without repetition, or None."""
    return ", ".join(sorted({v for v in (read(top / f"cpu{c}" / name) for c in cores) if v})) or None


def siblings(cores, top=CPUS):
    """Whether two of the usable cores are threads of one core (SMT)."""
    lists = {c: read(top / f"cpu{c}" / "topology" / "thread_siblings_list") for c in cores}
    if not all(lists.values()):
        return None
    pairs = sorted({text for c, text in lists.items() for other in cores if other != c and lists[other] == text})
    return f"usable cores that share one: {'; '.join(pairs)}" if pairs else "no two usable cores share one"


def turbo(top=CPUS):
    no_turbo, boost = read(top / "intel_pstate" / "no_turbo"), read(top / "cpufreq" / "boost")
    if no_turbo is None and boost is None:
        return None
    return "on" if no_turbo == "0" or boost == "1" else "off"


def virtual():
    flags = read("/proc/cpuinfo") or ""
    return "yes" if " hypervisor" in flags else "no, or it hides it"


def chosen(text):
    """The word in brackets of "always [madvise] never"."""
    return text[text.index("[") + 1:text.index("]")] if text and "[" in text else None


def huge_pages():
    top = pathlib.Path("/sys/kernel/mm/transparent_hugepage")
    own, shared = chosen(read(top / "enabled")), chosen(read(top / "shmem_enabled"))
    return f"{own or UNTOLD}, for shared memory {shared or UNTOLD}"


def hardware():
    """{what: value} of this machine, for people to read."""
    cores = sorted(os.sched_getaffinity(0))
    clock = read("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    facts = {"Governor": of_cores("cpufreq/scaling_governor", cores), "Turbo": turbo(), "SMT": siblings(cores),
             "Virtual machine": virtual(), "Clock source": clock, "Huge pages": huge_pages()}
    return {name: value or UNTOLD for name, value in facts.items()}


def openblas_build(path):
    """What an OpenBLAS that is loaded says of itself: version, options, kernels. None if it has no such function."""
    try:
        library = ctypes.CDLL(str(path))
        library.openblas_get_config.restype = ctypes.c_char_p
        return " ".join(library.openblas_get_config().decode().split())
    except (OSError, AttributeError):
        return None


def blas():
    """The BLAS libraries that this process has loaded, by name, with what OpenBLAS says of itself."""
    maps = pathlib.Path("/proc/self/maps").read_text().splitlines()
    files = sorted({pathlib.Path(line.split()[-1]).resolve() for line in maps if "blas" in line.lower()})
    names = [path.name + (f" ({build})" if (build := openblas_build(path)) else "") for path in files
             if path.name.startswith(("libblas", "libopenblas", "libmkl", "libblis", "libcblas"))]
    return ", ".join(names) or None
