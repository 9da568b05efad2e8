"""What scores refuse: outputs of another form, places that there are not, inputs of another size. One line each."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
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


def require_class(score: Any, *fields: str, optional: bool = False) -> None:
    """Passes fields of a new score that are classes, by number or name, or None where that has a meaning.

    NumPy's whole numbers become Python's.
    """
    for field in fields:
        value = getattr(score, field)
        if not (isinstance(value, str) and value.strip()):
            _require_number(score, field, value, optional, "a class by its number or its name")


def class_index(name: str, field: str, value: int | str, size: Any, what: str = "class") -> int:
    """A class's number, which there has to be one of; names are numbers once ``compile`` knows the labels."""
    if isinstance(value, str):
        raise ScoreError(
            f"{name} has {field}={value!r}, a class's name, which labels say the number of: compile it with labels, or "
            "give the number"
        )
    require_index(value, size, what)
    return value


def require_whole(score: Any, *fields: str, optional: bool = False) -> None:
    """Passes fields of a new score that are whole numbers, as ``require_class`` does."""
    for field in fields:
        _require_number(score, field, getattr(score, field), optional, "a whole number")


def whole_number(value: Any) -> int | None:
    """A whole number as Python's; None of anything else, of a truth too."""
    return int(value) if isinstance(value, Integral) and not isinstance(value, bool) else None


def _require_number(score: Any, field: str, value: Any, optional: bool, wanted: str) -> None:
    if value is None and optional:
        return
    number = whole_number(value)
    if number is None:
        raise InputError(f"{type(score).__name__} has {field}={value!r}: give {wanted}")
    object.__setattr__(score, field, number)  # of a frozen dataclass, as its __post_init__ may
