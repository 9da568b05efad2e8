"""Elements from words: a class by its number or its name, the index on each axis, or ``predicted``."""

from __future__ import annotations

import dataclasses
import difflib
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from fgcompile.artifact.elements import Element, class_axis, output_axes
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import WHOLE_NUMBER
from fgcompile.artifact.questions import PREDICTED, require_elements, shown, whole
from fgcompile.errors import InputError, TargetWarning
from fgcompile.system.text import visible

Wish = str | int | Sequence[int | str] | None
"""An element as callers name it: ``7``, ``"bald eagle"``, ``(2, 40, 31)``, ``"cat,40,31"``; None for the predicted."""

WORD = "predicted"
"""What stands for the largest, as −1 does."""

_SHOWN = 5
"""Names of classes in a message."""


def read_element(wish: Wish, metadata: Metadata) -> Element:
    """The indices of an element; −1 for what is to be the largest.

    Args:
        wish: A number is a class's, even where a label is a number too. Names are those of labels: whole, or the
            beginning of one alone, in capitals or not.
        metadata: The artifact's.

    Raises:
        InputError: No such class, or several; an index out of range; too few or too many of them.
    """
    axes = output_axes(metadata)
    rank = max(1, len(axes))
    if isinstance(wish, np.ndarray):
        wish = wish.tolist()
    if wish is None or (isinstance(wish, str | Integral) and wish in (WORD, PREDICTED, str(PREDICTED))):
        return (PREDICTED,) * rank
    parts = _parts(wish, rank, metadata)
    names = [axis["name"] for axis in axes]
    if len(parts) != rank:
        what = f"{rank} indices, {', '.join(names)}, separated by commas" if rank > 1 else "one class"
        raise InputError(f"target {_shown(wish)}: give {what}, or '{WORD}'")
    classes = class_axis(metadata)
    element = tuple(
        _index(part, names[axis] if names else "class", axis == classes, metadata) for axis, part in enumerate(parts)
    )
    sizes = [axis["size"] if isinstance(axis["size"], int) else None for axis in axes] or [None]
    # −1 on any axis is resolved here by the logits; what an artifact resolves by itself is the last one, or all.
    require_elements(np.array([_without_largest(element)])[..., 0 if rank == 1 else slice(None)], sizes, names)
    return element


def read_elements(wishes: str | Sequence[Wish], metadata: Metadata) -> tuple[Element, ...]:
    """Several elements; a text has them separated by ``;``, or, classes, by commas where it has no ``;``.

    Raises:
        InputError: As ``read_element``; there are none, or one is given twice.
    """
    wishes = wishes.tolist() if isinstance(wishes, np.ndarray) else wishes
    if isinstance(wishes, str):
        separator = ";" if ";" in wishes or len(output_axes(metadata)) > 1 else ","
        wishes = [part.strip() for part in wishes.split(separator) if part.strip()]
    elif not isinstance(wishes, list | tuple):
        raise InputError(f"targets is {shown(wishes)}: give a list, or a text with commas")
    if not wishes:
        raise InputError("targets are none: give one or more")
    elements = tuple(read_element(wish, metadata) for wish in wishes)
    for number, element in enumerate(elements):
        if element in elements[:number]:
            raise InputError(f"targets has {_shown(wishes[number])} twice: give each once")
    return elements


def numbered(target: Any, metadata: Metadata) -> Any:
    """A target with the number of a class, or of each axis, in place of every name; anything else stays as it is.

    Args:
        target: As ``Session.explain`` takes it: a name as ``read_element`` reads it, or numbers and names in lists.
        metadata: The artifact's.

    Raises:
        InputError: As ``read_element``.
    """
    if isinstance(target, np.ndarray) and target.dtype.kind in "UO":
        target = target.tolist()
    if isinstance(target, str) or _is_element(target, metadata):
        element = read_element(target, metadata)
        return element[0] if len(element) == 1 else list(element)
    if isinstance(target, list | tuple) and any(isinstance(each, str | list | tuple) for each in target):
        return [numbered(each, metadata) for each in target]
    return target


def _is_element(target: Any, metadata: Metadata) -> bool:
    """Whether it has the index on each axis, that of the class by name: ``("cat", 40, 31)``."""
    if not isinstance(target, list | tuple) or not len(target) == len(output_axes(metadata)) > 1:
        return False
    return any(isinstance(each, str) for each in target) and not all(isinstance(each, str | list) for each in target)


def class_of(target: Any, labels: Sequence[str] | None, what: str = "target") -> Any:
    """What is compiled for, with the number of a class in place of its name; any other target stays as it is.

    A score of ``fgcompile.scores`` has such numbers where it was made with names; those fields are its ``CLASSES``.

    Args:
        target: As for ``compile``.
        labels: The classes' names, None while there are none.
        what: What the name is given for, in messages.

    Raises:
        InputError: None of the labels, or several, are called so.
        ScoreError: The classes of a score are one.
    """
    if names := names_in(target):
        numbers = {
            field: _number_of(name, labels, f"{type(target).__name__}: {field}") for field, name in names.items()
        }
        make: Callable[..., Any] = getattr(target, "with_classes", partial(dataclasses.replace, target))
        return make(**numbers)
    return target if not isinstance(target, str) or target == WORD else _number_of(target, labels, what)


def names_in(score: Any) -> dict[str, str]:
    """The fields of a score that are classes by name."""
    fields = getattr(score, "CLASSES", ()) if dataclasses.is_dataclass(score) else ()
    return {field: getattr(score, field) for field in fields if isinstance(getattr(score, field), str)}


def _number_of(name: str, labels: Sequence[str] | None, what: str) -> int:
    """The class that is compiled for, by its name; a number that another class is called as may mean either."""
    name = name if name in (labels or ()) else name.strip()
    number = _named(name, labels, "model", what)
    if labels is not None and name in labels and labels.index(name) != number:
        raise InputError(f"{what} {_shown(name)} is a number, and class {labels.index(name)} is called so: give an int")
    return number


def needs_logits(element: Element) -> bool:
    """Whether −1 stands where no artifact resolves it by itself: not in the last place, nor in all."""
    return PREDICTED in element[:-1] and any(index != PREDICTED for index in element)


def _parts(wish: str | int | Sequence[int | str], rank: int, metadata: Metadata) -> Sequence[int | str]:
    """What is said of each axis; a class's name may have commas in it."""
    if not isinstance(wish, str):
        return wish if isinstance(wish, list | tuple) else [wish]  # type: ignore[list-item]  # refused where it is read
    if rank == 1:
        return [wish.strip()]
    parts, classes = [part.strip() for part in wish.split(",")], class_axis(metadata)
    more = len(parts) - rank
    if more > 0 and classes is not None:
        parts[classes : classes + more + 1] = [", ".join(parts[classes : classes + more + 1])]
    return parts


def _index(part: int | str, axis: str, of_classes: bool, metadata: Metadata) -> int:
    if not isinstance(part, str):
        return whole(part, f"target's {axis}")
    if part == WORD:
        return PREDICTED
    if not of_classes and not WHOLE_NUMBER.fullmatch(part):
        raise InputError(f"target {_shown(part)}: give as {axis} a whole number")
    return _named(part, metadata["labels"], "artifact")


def _named(name: str, labels: Sequence[str] | None, of: str, what: str = "target") -> int:
    """The class of a number or a name; ``of`` says what it is one of, the artifact, or the model while there is none.

    ``what`` is asked so: the target, or an argument of a score.

    Raises:
        InputError: None has it, or several have.
    """
    if WHOLE_NUMBER.fullmatch(name):
        return int(name)
    word = f", or '{WORD}'" if what == "target" else ""
    if labels is None:
        way_out = "compile it with labels" if of == "artifact" else "give labels, or a function of the output"
        if what != "target":
            way_out = "give labels"
        raise InputError(
            f"{what} {_shown(name)}: the {of} has no names of classes: give a class as a whole number{word}, or "
            f"{way_out}"
        )
    wanted = name.casefold()
    folded = [label.casefold() for label in labels]
    for found in (
        [index for index, label in enumerate(labels) if label == name],
        [index for index, label in enumerate(folded) if label == wanted],
        [index for index, label in enumerate(folded) if wanted and label.startswith(wanted)],
    ):
        if len(found) == 1:
            _tell_beginning(name, labels[found[0]], found[0], what)
            return found[0]
        if found:
            some = ", ".join(f"{index} {_shown(labels[index])}" for index in found[:_SHOWN])
            more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
            raise InputError(f"{what} {_shown(name)} is the name of several classes: give a number, of {some}{more}")
    near = [label for label in folded if wanted and wanted in label][:_SHOWN]
    near += [label for label in difflib.get_close_matches(wanted, folded, _SHOWN) if label not in near]
    meant = ", ".join(_shown(labels[folded.index(label)]) for label in near[:_SHOWN])
    advice = f"perhaps {meant}" if meant else f"give a name of its labels{',' if word else ' or'} a whole number{word}"
    advice += ", or several as targets" if "," in name and not meant and what == "target" else ""
    raise InputError(f"{what} {_shown(name)} is no class of the {of}: {advice}")


def _tell_beginning(name: str, label: str, index: int, what: str) -> None:
    """Warns that a beginning was taken for the name; not of the first of several names, ``tench, Tinca tinca``."""
    rest = label[len(name) :]
    if len(label) > len(name) and not rest.startswith(","):
        warnings.warn(
            f"{what} {_shown(name)} is taken for class {index}, {_shown(label)}, which alone begins so",
            TargetWarning,
            stacklevel=3,
        )


def _without_largest(element: Element) -> Element:
    return tuple(0 if index == PREDICTED else index for index in element) if needs_logits(element) else element


def _shown(wish: object) -> str:
    return repr(visible(wish)) if isinstance(wish, str) else shown(wish)
