# SPDX-License-Identifier: BSD-3-Clause
"""What programs may link to: the functions of numd.h, each under the release that first had it, and nothing else."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("NUMD_BUILD", TOP / "build")).resolve()
VERSION = re.search(r'NUMD_VERSION "(.*)"', (TOP / "protocol" / "version.h").read_text(encoding="utf-8")).group(1)

pytestmark = pytest.mark.skipif(BUILD.name != "build", reason="sanitizers add names of their own")


def output(*words):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout


def defined(path, *, dynamic):
    """The names that a library gives to others, without those of its versions."""
    lines = [line.split() for line in output("nm", "-D" if dynamic else "-g", "--defined-only", path).splitlines()]
    return sorted(words[2] for words in lines if len(words) == 3 and words[1] != "A")


def declared():
    text = re.sub(r"/\*.*?\*/", "", (TOP / "client" / "numd.h").read_text(encoding="utf-8"), flags=re.S)
    names = re.findall(r"^NUMD_API\b[^;(]*?\b(numd_\w+)\(", text, re.M)
    assert names and len(names) == len(re.findall(r"\bnumd_\w+\(", text)), "each declaration begins with NUMD_API"
    return sorted(names)


def test_each_function_has_its_own_comment():
    text = (TOP / "client" / "numd.h").read_text(encoding="utf-8")
    assert re.findall(r"(?<!\*/\n)^NUMD_API\b.*", text, re.M) == []


@pytest.mark.skipif(not shutil.which("c++"), reason="there is no C++ compiler")
def test_cpp_programs_include_the_header(tmp_path):
    source = tmp_path / "program.cpp"
    source.write_text("#include <numd.h>\nnumd_options options = NUMD_OPTIONS_INIT;\nint main() { return !options.size; }\n")
    output("c++", "-std=c++11", "-Wall", "-Wextra", "-Werror", f"-I{BUILD}/include", "-fsyntax-only", source)


def versioned():
    """{name: version} of client/lib/numd.map."""
    text = re.sub(r"#.*", "", (TOP / "client" / "lib" / "numd.map").read_text(encoding="utf-8"))
    found = {}
    for node, body in re.findall(r"(NUMD_[\d.]+) \{(.*?)\}", text, re.S):
        names = re.search(r"global:(.*?)(local:|$)", body, re.S).group(1)
        found |= {name.strip(): node for name in names.split(";") if name.strip()}
    return found


def numbers(version):
    return [int(number) for number in version.split(".")]


def test_map_lists_the_functions_of_the_header():
    assert sorted(versioned()) == declared()


def test_versions_are_those_of_releases():
    assert all(numbers(node.removeprefix("NUMD_")) <= numbers(VERSION) for node in versioned().values())


def test_library_exports_each_function_under_its_version():
    assert defined(BUILD / "libnumd.so", dynamic=True) == sorted(f"{name}@@{node}" for name, node in versioned().items())


def test_static_library_defines_the_same_names():
    assert defined(BUILD / "libnumd.a", dynamic=False) == declared()


def test_python_extension_exports_its_entry_alone():
    (extension,) = (BUILD / "python" / "numd").glob("_numd*.so")
    assert defined(extension, dynamic=True) == ["PyInit__numd"]


def test_soname_has_the_first_number_of_the_version():
    dynamic = output("readelf", "-d", BUILD / "libnumd.so")
    assert f"[libnumd.so.{VERSION.split('.')[0]}]" in dynamic
    assert "NODELETE" in dynamic
