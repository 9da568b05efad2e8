"""The documents that are made from the code are up to date."""

from __future__ import annotations

from tools import generate_operators


def test_the_table_of_operators_is_what_the_registries_say() -> None:
    committed = generate_operators.PATH.read_text(encoding="utf-8")
    assert committed == generate_operators.render(), "run `python -m tools.generate_operators`"
