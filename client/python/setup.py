# SPDX-License-Identifier: BSD-3-Clause
"""Builds the package with libnumd and the daemon inside, by the Makefile of the source tree.

The tree is the one that this directory is in, or, in a source distribution, `tree` beside this file. NUMD_BUILD names
the directory of the build, by default `build` at the top of the tree: what is up to date there is not built again.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys

from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE / "tree" if (HERE / "tree").is_dir() else HERE.parents[1]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TREE / "build")).resolve()
SCRATCH = BUILD / "wheel"
SCRATCH.mkdir(parents=True, exist_ok=True)
PROGRAMS = ["numd", "numd-worker"]
VERSION = re.search(r'NUMD_VERSION "(.*)"', (TREE / "protocol" / "version.h").read_text(encoding="utf-8")).group(1)
# What of the tree the Makefile wants for the library and the programs; this directory is in the distribution already.
ROOMS = ["Makefile", "LICENSE", "shared", "protocol", "server", "client", "scripts"]


def make():
    """The library and the programs, up to date."""
    goals = [f"{BUILD}/{name}" for name in ["libnumd.a", *PROGRAMS]]
    env = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    words = ["make", f"-j{len(os.sched_getaffinity(0))}", f"BUILD={BUILD}", f"PYTHON={sys.executable}", *goals]
    try:
        subprocess.run(words, cwd=TREE, env=env, check=True)
    except FileNotFoundError:
        sys.exit("numd: make is not installed; `scripts/setup` in the source tree installs what building needs")
    except subprocess.CalledProcessError:
        sys.exit("numd: libnumd and the daemon could not be built, see above; `scripts/setup` in the source tree "
                 "installs what building needs")


def msgpack():
    """Words that link the library which the Makefile takes."""
    for name in ("msgpack-c", "msgpack"):
        found = subprocess.run(["pkg-config", "--libs", name], stdout=subprocess.PIPE, text=True)
        if found.returncode == 0:
            return found.stdout.split()
    sys.exit("numd: pkg-config knows no msgpack")


class BuildExtension(build_ext):
    def run(self):
        make()
        subprocess.run([sys.executable, HERE / "docstrings.py", SCRATCH / "docstrings.h"], check=True)
        self.extensions[0].extra_link_args += msgpack()
        super().run()


class BuildPackage(build_py):
    """The modules, and the programs in numd/bin."""

    def run(self):
        for path in pathlib.Path(self.build_lib, "numd").rglob("*.py*"):  # there may be some that are gone now
            path.unlink()
        super().run()
        make()
        into = pathlib.Path(self.build_lib, "numd", "bin")
        into.mkdir(parents=True, exist_ok=True)
        for name in PROGRAMS:
            shutil.copy(BUILD / name, into / name)
            subprocess.run(["strip", "--strip-debug", into / name], check=True)


class SourceDistribution(sdist):
    """This directory, and the tree that it needs."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        into = pathlib.Path(base_dir, "tree")
        into.mkdir(exist_ok=True)
        for room in ROOMS:
            if (TREE / room).is_dir():
                shutil.copytree(TREE / room, into / room, ignore=self.is_left_out)
            else:
                shutil.copy(TREE / room, into / room)

    @staticmethod
    def is_left_out(directory, names):
        """What is generated; and of this directory, which is in the distribution already, all but the Makefile's part."""
        here = pathlib.Path(directory) == HERE
        return {name for name in names if name == "__pycache__" or here and name != "python.mk"}


setup(
    name="numd",
    version=VERSION,
    packages=find_packages(str(HERE), include=["numd", "numd.*"]),
    package_data={"numd": ["py.typed", "*.pyi"]},
    options={"build": {"build_base": str(SCRATCH)}, "egg_info": {"egg_base": str(SCRATCH)}},
    cmdclass={"build_ext": BuildExtension, "build_py": BuildPackage, "sdist": SourceDistribution},
    ext_modules=[
        Extension(
            "numd._numd",
            sources=sorted(str(path.relative_to(HERE)) for path in (HERE / "src").glob("*.c")),
            depends=["setup.py", "docstrings.py", str(BUILD / "libnumd.a"), *map(str, (HERE / "src").glob("*.h")),
                     *map(str, (HERE / "src" / "docs").glob("*.txt"))],
            include_dirs=[str(TREE), str(TREE / "client"), str(SCRATCH)],
            extra_compile_args=["-std=gnu11", "-fvisibility=hidden"],
            # None of the library's names are seen outside, so that it meets no other libnumd of the process. As that, it
            # stays where it was loaded (see the Makefile).
            extra_link_args=[str(BUILD / "libnumd.a"), "-Wl,--exclude-libs,ALL,--strip-debug,-z,nodelete",
                             "-pthread"],
        )
    ],
)
