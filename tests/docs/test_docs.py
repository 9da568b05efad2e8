"""The documents that are made from the code are up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fgcompile import __version__
from tools.generate_operators import DOCUMENTS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_of_operators_are_what_the_registries_say(path: Path) -> None:
    committed = path.read_text(encoding="utf-8")
    assert committed == DOCUMENTS[path](), "run `python -m tools.generate_operators`"


def test_a_citation_names_this_version() -> None:
    citation = (Path(__file__).parents[2] / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.+)$", citation, re.MULTILINE) == [__version__]
