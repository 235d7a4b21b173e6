#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Makes the docstrings of the C extension, src/docs/*.txt, a header of string macros.

    docstrings.py HEADER

A line `# Array.reshape(*shape)` names an object, with its signature if inspect is to know it, and what follows is its
text, DOC_ARRAY_RESHAPE in C. Several such lines in a row share the text.
"""

import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent / "src" / "docs"
HEADING = re.compile(r"# ((?:\w+\.)?(\w+))(\(.*\))?")


def entries(lines):
    """(headings, text) of each text, in order."""
    headings, text = [], []
    for line in lines:
        if line.startswith("# "):
            if text:
                yield headings, "\n".join(text).strip("\n")
                headings, text = [], []
            headings.append(HEADING.fullmatch(line))
        else:
            text.append(line)
    yield headings, "\n".join(text).strip("\n")


def literal(text):
    """The text as string literals of C, one a line."""
    lines = text.replace("\\", "\\\\").replace('"', '\\"').split("\n")
    return " \\\n".join([f'  "{line}\\n"' for line in lines[:-1]] + [f'  "{lines[-1]}"'])


def macros(path):
    for headings, text in entries(path.read_text(encoding="utf-8").splitlines()):
        for heading in headings:
            whole, name, signature = heading.groups()
            # CPython takes the part before `--` for the signature.
            head = f"{name}{signature}\n--\n\n" if signature else ""
            yield f"#define DOC_{whole.replace('.', '_').upper()} \\\n{literal(head + text)}\n"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    made = [macro for path in sorted(FOLDER.glob("*.txt")) for macro in macros(path)]
    header = pathlib.Path(sys.argv[1])
    header.parent.mkdir(parents=True, exist_ok=True)
    header.write_text("/* Made by docstrings.py of src/docs. */\n\n" + "\n".join(made), encoding="utf-8")


if __name__ == "__main__":
    main()
