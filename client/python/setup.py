"""Builds the package against an installed libnumd.

NUMD_INCLUDE and NUMD_LIB name the directories of numd.h and libnumd.so if they are not in the usual
places; several are separated by colons.
"""

import glob
import os

from setuptools import Extension, setup


def directories(variable):
    return [path for path in os.environ.get(variable, "").split(":") if path]


setup(
    name="numd",
    version="0.1.0",
    description="Arrays in shared memory, computed by a daemon on the same host",
    packages=["numd"],
    python_requires=">=3.11",
    install_requires=["numpy>=1.24"],
    ext_modules=[
        Extension(
            "numd._numd",
            sources=sorted(glob.glob("src/*.c")),
            depends=glob.glob("src/*.h"),
            include_dirs=directories("NUMD_INCLUDE"),
            library_dirs=directories("NUMD_LIB"),
            runtime_library_dirs=directories("NUMD_LIB"),
            libraries=["numd"],
            extra_compile_args=["-std=gnu11"],
        )
    ],
)
