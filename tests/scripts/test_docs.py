# SPDX-License-Identifier: Apache-2.0
"""What the documentation names is there."""

import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("document", ["SECURITY.md", "docs/ARCHITECTURE.md"])
def test_tests_that_are_named_exist(document):
    sources = "".join(p.read_text() for p in (TOP / "tests").glob("*/test_*.[cp]*"))
    named = set(re.findall(r"`(test_\w+)`", (TOP / document).read_text()))
    assert named
    missing = {name for name in named if not re.search(rf"\b{name}\b", sources)}
    assert not missing


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", "docs/ARCHITECTURE.md"])
def test_files_that_are_named_exist(document):
    text = (TOP / document).read_text()
    places = "base|sys|oci|runtime|image|units|engine|monitor|cli"
    for name in re.findall(rf"`((?:src|scripts|tests|docs|man|data)/[\w./-]+|\.ci/run)`", text):
        assert (TOP / name).exists(), name
    for name in re.findall(rf"`((?:{places})/[\w.]+)`", text):
        assert (TOP / "src" / name).exists(), name
