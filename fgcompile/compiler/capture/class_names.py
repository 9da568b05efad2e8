"""The classes' names as files and configurations have them: a list, or a mapping of numbers from 0 on."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from fgcompile.artifact.characters import unfit_character

KEYS = ("names", "labels", "classes", "class_names", "id2label")
"""What exporters call them in a file's metadata; the first that has them is taken."""

_FORMS = "a list of names, or a mapping of the numbers from 0 on to names, as JSON or Python writes them"


class ClassNames(NamedTuple):
    """What was found.

    Attributes:
        names: One for each class in order; None where there are none to be taken.
        problem: What is wrong with those that cannot be read.
    """

    names: tuple[str, ...] | None = None
    problem: str | None = None


def names_in_properties(properties: Mapping[str, str]) -> ClassNames:
    """The names in a file's metadata, texts by ``KEYS``; the problem is that of the first key, where none has any."""
    problems = []
    for key in KEYS:
        text = properties.get(key, "").strip()
        if not text:
            continue
        found = names_of(_literal(text))
        if found.names is not None:
            return found
        if found.problem is not None:
            problems.append(f"its metadata '{key}' {found.problem}: what is read is {_FORMS}")
    return ClassNames(problem=next(iter(problems), None))


def names_of(found: object) -> ClassNames:
    """The names in what a file or configuration has for them; mere numbers (``LABEL_7``, a count) are none."""
    if isinstance(found, int) and not isinstance(found, bool):
        return ClassNames()  # how many there are
    if isinstance(found, Mapping):
        ordered = {_number(key): name for key, name in found.items()}
        if None in ordered or len(ordered) < len(found):
            return ClassNames(problem="has a key that is no number of a class, or is there twice")
        missing = next((index for index in range(len(ordered)) if index not in ordered), None)
        if missing is not None:
            return ClassNames(problem=f"has {len(ordered)} names, and none for class {missing}")
        names = [ordered[index] for index in range(len(ordered))]
    elif isinstance(found, Sequence) and not isinstance(found, str | bytes):
        names = list(found)
    else:
        return ClassNames(problem="cannot be read")
    for index, name in enumerate(names):
        if not isinstance(name, str):
            return ClassNames(problem=f"has {str(name)[:40]!r} for class {index}, which is no text")
        if (character := unfit_character(name)) is not None:
            return ClassNames(problem=f"has the control character {character} in class {index}")
    if names == [f"LABEL_{index}" for index in range(len(names))]:
        return ClassNames()
    return ClassNames(tuple(names))


def _number(key: object) -> int | None:
    text = str(key)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


def _literal(text: str) -> object:
    """What a text says as JSON or as a literal of Python's; itself where it is neither."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text
