"""The documents that are made from the code are up to date."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.generate_operators import DOCUMENTS


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_tables_of_operators_are_what_the_registries_say(path: Path) -> None:
    committed = path.read_text(encoding="utf-8")
    assert committed == DOCUMENTS[path](), "run `python -m tools.generate_operators`"
