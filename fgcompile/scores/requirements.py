"""What scores refuse: outputs of another form, places that there are not, inputs of another size. One line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from fgcompile.errors import InputError, ScoreError

HELD = 1e-6
"""How far from 0 and 1 probabilities are held, where their logarithms are not finite."""


def require_rank(output: Any, rank: int, form: str, name: str) -> None:
    """Refuses an output of other axes, by its score's name."""
    if not isinstance(output, Tensor) or output.ndim != rank:
        found = f"shape {tuple(output.shape)}" if isinstance(output, Tensor) else f"type {type(output).__name__}"
        raise ScoreError(f"{name} is a score of an output {form}, and the model's has {found}: name another, output=")


def require_index(index: int, size: Any, what: str) -> None:
    """Refuses an index that there is not; negative ones count from the end, as in Python."""
    if not -size <= index < size:
        raise ScoreError(f"{what} {index} is out of range: the output has {size} of them")


def require_sizes(name: str, own: str, value: Tensor, sizes: Sequence[Any], form: str) -> None:
    """Refuses a score's own input of other sizes, which might be spread over the output's.

    Dynamic ones are free, and so is the batch: an example of one sample does for any number.
    """
    known = zip(value.shape[1:], sizes[1:], strict=False)
    other = any(isinstance(a, int) and isinstance(b, int) and a != b for a, b in known)
    if value.ndim != len(sizes) or other:
        wanted = ", ".join(map(str, sizes))
        raise ScoreError(f"{own} of {name} has shape {tuple(value.shape)}: give {form}, here ({wanted})")


def require_own(name: str, own: str, given: Tensor | None, taken: bool) -> None:
    """Refuses that an input of a score's own is missing, or is given to a score that has it fixed.

    Args:
        name: The score's.
        own: The input's.
        given: It.
        taken: Whether the score takes it at run time.
    """
    if taken and given is None:
        raise ScoreError(f"{name} takes its {own} at run time: give an example of it, score_inputs={{'{own}': …}}")
    if not taken and given is not None:
        raise ScoreError(f"{name} has its {own} fixed, and score_inputs has '{own}' too: leave one of them out")


def require_class(name: str, **fields: int | str | None) -> None:
    """Refuses a field of a score that is neither a class's number or name nor None."""
    for field, value in fields.items():
        if value is None or (isinstance(value, str) and value.strip()):
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise InputError(f"{name} has {field}={value!r}: give a class by its number or its name")


def class_index(name: str, field: str, value: int | str, size: Any, what: str = "class") -> int:
    """A class's number, which there has to be one of; names are numbers once ``compile`` knows the labels."""
    if isinstance(value, str):
        raise ScoreError(
            f"{name} has {field}={value!r}, a class's name, which labels say the number of: compile it with labels, or "
            "give the number"
        )
    require_index(value, size, what)
    return value


def require_whole(name: str, **fields: int | None) -> None:
    """Refuses a field of a score that is neither a whole number nor None."""
    for field, value in fields.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, int)):
            raise InputError(f"{name} has {field}={value!r}: give a whole number")
