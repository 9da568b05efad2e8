"""Registries are plain dicts, one for each family of operators, joined where they are used."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


def join_tables(what: str, families: Iterable[Mapping[Any, Value]]) -> dict[Any, Value]:
    """All rows of the families' tables.

    Args:
        what: What the table is, for the message.
        families: The tables.

    Raises:
        ValueError: An operator has two rows.
    """
    table: dict[Any, Value] = {}
    for family in families:
        for operator, row in family.items():
            if operator in table:
                raise ValueError(f"{operator} has two rows in {what}: keep one")
            table[operator] = row
    return table
