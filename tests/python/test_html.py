# SPDX-License-Identifier: BSD-3-Clause
"""What notebooks show: IPython takes _repr_html_ where an object has it."""

import html.parser

import numpy as np
import pytest

import numd


class Balanced(html.parser.HTMLParser):
    """Counts tags, and gathers the text."""

    def __init__(self, text):
        super().__init__()
        self.open, self.text = [], ""
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data + "\n"


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 4), (1000, 1000), (3,) * 10, (1,) * 16])
def test_arrays(shape):
    text = Balanced(numd.full(shape, 7)._repr_html_()).text
    assert len(text) < 3000
    for word in ("int64", " × ".join(map(str, shape)) or "no dimensions", "shared"):
        assert word in text
    assert ("7" in text.split("shared")[1]) == (0 not in shape)


def test_values_are_those_of_now():
    a = numd.zeros(3)
    a[1] = 0.25
    text = Balanced(a._repr_html_()).text
    assert "[0.  , 0.25, 0.  ]" in text and "24 B, shared" in text


def test_views_tell_their_strides():
    assert "strides (16,)" in numd.zeros(10)[::2]._repr_html_()
    assert "strides" not in numd.zeros(10)[2:]._repr_html_()


def test_large_arrays_are_summarised():
    a = numd.arange(10**6)
    text = Balanced(a._repr_html_()).text
    assert "7.6 MiB" in text and "..." in text and "999999" in text
    assert np.asarray(a)[-1] == 999999


def test_memory():
    kept = numd.ones(10)
    numd.publish("a-name", kept, replace=True)
    text = Balanced(numd.memory()._repr_html_()).text
    numd.unpublish("a-name")
    assert "a-name" in text and "held by" in text
