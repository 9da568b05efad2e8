"""The page on the architecture says what the code says: its table of imports, and the fields of the values."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from fgcompile.compiler.fullgrad.terms import FullGradient
from fgcompile.compiler.ir import programs
from tests.test_imports import GROUND, MAY_IMPORT, STAGES

TEXT = (Path(__file__).parents[2] / "docs" / "architecture.md").read_text(encoding="utf-8")

GROUPS = {"ground": GROUND, "every stage": STAGES, "the public names": {""}}
"""What the page calls several rooms."""

VALUES = (
    programs.CapturedProgram,
    programs.BiasedProgram,
    programs.Site,
    programs.BiasTerm,
    programs.Placement,
    programs.ImplicitBias,
    FullGradient,
    programs.FusedProgram,
    programs.ValueSpec,
)


def rows(heading: str) -> list[list[str]]:
    """The cells of each row of the table under a heading."""
    section = TEXT.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def room(name: str) -> str:
    return name if name in MAY_IMPORT else f"compiler.{name}"


def named(cell: str) -> set[str]:
    found = {room(name) for name in re.findall(r"`(\w+)`", cell)}
    return found.union(*(rooms for words, rooms in GROUPS.items() if words in cell))


IMPORTS = {room(name): row[1] for row in rows("Who may import whom") for name in re.findall(r"`(\w+)`", row[0])}


@pytest.mark.parametrize("folder", sorted(IMPORTS.keys() - {"cli"}))
def test_a_folder_may_import_what_the_page_says(folder: str) -> None:
    assert named(IMPORTS[folder]) == MAY_IMPORT[folder]


def test_every_folder_is_in_the_table() -> None:
    assert MAY_IMPORT.keys() - IMPORTS.keys() == {"", "__main__"}


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value.__name__)
def test_every_field_of_a_value_is_in_its_row(value: type) -> None:
    (text,) = (row[1] for row in rows("What stages exchange") if row[0] == f"`{value.__name__}`")
    assert set(re.findall(r"`([a-z_]+)`", text)) == {field.name for field in dataclasses.fields(value)}
