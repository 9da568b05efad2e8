"""What an artifact is asked: of which elements of its output the explanation is, as its input ``target`` says.

The input is int64: ``(N,)`` classes of logits ``(N, K)``, or ``(N, r)`` of an output ``(N, d_1, …, d_r)``, one index
for each axis; with several targets in a call an axis of them stands behind the batch, ``(N, T)`` or ``(N, T, r)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import BATCH, Metadata, TargetAxis
from fgcompile.artifact.names import LOGITS, TARGETS
from fgcompile.artifact.schema import target_form
from fgcompile.artifact.sizes import size_of
from fgcompile.errors import InputError
from fgcompile.system.text import brief, visible

Array = NDArray[Any]

Asked = int | Sequence[Any] | Array | None
"""A target as callers give it: that of all samples, one for each, or None for the largest."""

PREDICTED = -1
"""The index that stands for the largest: in the last place for the largest there, in all for the largest of all."""


_LONGEST = 60
"""Bytes of a value in a message."""

_PAST = 2**63
"""The first number that is no index, of whatever size: int64, as which targets are run, has no such."""


def asked_axes(metadata: Metadata) -> list[TargetAxis]:
    """The axes of the output that ``target`` indexes; empty where the artifact does not say."""
    if "target_axes" in metadata:
        return metadata["target_axes"]
    for spec in metadata["outputs"]:  # an artifact of an older version takes a class
        if spec["name"] == LOGITS and len(spec["shape"]) == 2:
            return [{"name": "class", "size": spec["shape"][1]}]
    return []


def predicted_targets(metadata: Metadata, batch: int) -> NDArray[np.int64]:
    """The ``target`` that asks for the largest of all, for each sample; once where any number of them is taken."""
    form = [size if isinstance(size, int) else 1 for size in target_form(metadata)]
    return np.full((batch, *form), PREDICTED, dtype=np.int64)


def check_target(
    target: Asked, sizes: Mapping[str, int], metadata: Metadata, of_each: bool = False
) -> NDArray[np.int64] | None:
    """The target of each sample, shape ``(N[, T][, r])``, or None where the artifact takes none.

    Args:
        target: That of all samples, one per sample, or None; -1 and None mean the largest.
        sizes: The dynamic sizes of the inputs that it is asked with, by name; N is ``batch``.
        metadata: The artifact's.
        of_each: Whether only one per sample is taken, with the batch in front.

    Raises:
        InputError: The artifact has a fixed target; a wrong type or shape; an index out of range.
    """
    if metadata["target"] != "input":
        if target is not None:
            raise InputError(
                f"the artifact's target was fixed when compiling ({metadata['target']}): "
                "leave target out, or compile with target=None"
            )
        return None
    batch = sizes[BATCH]
    if target is None:
        return predicted_targets(metadata, batch)
    form = target_form(metadata)
    if (wrong := _not_whole(target)) is not None:
        raise InputError(f"target {wrong}: give an int or an integer array of shape {_shape(metadata, batch)}")
    try:
        array = np.asarray(target)
    except ValueError as error:  # lists of different lengths
        raise InputError(f"target is no array: {_advice(metadata, batch)}") from error
    alone = array.shape == () and metadata.get("targets") is None and array == PREDICTED
    # Any number of targets is as many as there are, but not none.
    own = (*array.shape, 0)[array.ndim - len(form)] if array.ndim >= len(form) else 0
    form = tuple(own if size == TARGETS and own else size for size in form)
    if array.shape not in ((batch, *form), *([] if of_each and form else [form])) and not alone:
        raise InputError(f"target has shape {array.shape}: {_advice(metadata, batch)}")
    of_all = np.broadcast_to(array, (batch, *form))  # type: ignore[arg-type]
    require_targets(of_all, metadata, sizes)
    return np.array(of_all, dtype=np.int64)


def whole(value: object, what: str) -> int:
    """A whole number of Python's or NumPy's; neither a truth nor a float that happens to be whole.

    Raises:
        InputError: It is none; ``what`` says what it was given for.
    """
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value[()]
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise InputError(f"{what} is {shown(value)}: give a whole number")
    return int(value)


def shown(value: object) -> str:
    """A value in a message, no longer than that."""
    return brief(visible(repr(value)), _LONGEST)


def _not_whole(target: Any, within: bool = False) -> str | None:
    """What of a target is no whole number, in words; NumPy would make numbers of truths in a list."""
    if isinstance(target, list | tuple):
        return next(filter(None, (_not_whole(each, within=True) for each in target)), None) if target else "is empty"
    if isinstance(target, np.ndarray | np.generic) and target.dtype.kind != "O":
        alone = target.ndim == 0 and target.dtype.kind != "V"
        described = shown(target.item()) if alone else f"{target.dtype}"
        return None if target.dtype.kind in "iu" else f"{'has' if within else 'is'} {described}"
    if isinstance(target, np.ndarray):
        return _not_whole(target.tolist(), within)
    whole_number = isinstance(target, Integral | range) and not isinstance(target, bool)
    return None if whole_number else f"{'has' if within else 'is'} {shown(target)}"


def _advice(metadata: Metadata, batch: int) -> str:
    count = metadata.get("targets")
    names = [axis["name"] for axis in asked_axes(metadata)]
    one, many = ("class", "classes") if len(names) < 2 else (f"({', '.join(names)})", f"({', '.join(names)})")
    if count is None:
        what = "an int or one class" if len(names) < 2 else f"the indices {one}"
    else:
        what = f"{count} {many}" if isinstance(count, int) else f"any number of {many}"
    return f"give {what} per sample, shape {_shape(metadata, batch)}"


def _shape(metadata: Metadata, batch: int) -> str:
    form = target_form(metadata)
    sizes = ", ".join("T" if size == TARGETS else str(size) for size in (batch, *form))
    return f"({sizes})" if form else f"({sizes},)"


def require_targets(target: Array, metadata: Metadata, sizes: Mapping[str, int]) -> None:
    """Refuses indices that no element of the output has, for inputs of these dynamic sizes.

    Raises:
        InputError: Names the first, and what is in range.
    """
    axes = asked_axes(metadata)
    of_axes = [size_of(axis["size"], sizes) for axis in axes] or [None]
    require_elements(target, of_axes, [axis["name"] for axis in axes])


def require_elements(target: Array, sizes: Sequence[int | None], names: Sequence[str] = ()) -> None:
    """Refuses indices that no element of an output has.

    Args:
        target: Classes of one axis of any shape, or indices ``(…, r)``.
        sizes: Those of the axes; None where it is not known, and only a negative index can be told.
        names: What the axes are called.

    Raises:
        InputError: Names the first, and what is in range.
    """
    if len(sizes) == 1:
        low, last = PREDICTED, sizes[0]
        wrong = target[(target < low) | (target >= (_PAST if last is None else last))]
        if wrong.size:
            upto = " up" if last is None else f" to {last - 1}"
            raise InputError(
                f"target {wrong.flat[0]} is out of range: give a class from 0{upto}, or -1 for the predicted one"
            )
        return
    rows = np.asarray(target).reshape(-1, len(sizes))
    rows = rows[~(rows == PREDICTED).all(1)]
    for axis, size in enumerate(sizes):
        low = PREDICTED if axis == len(sizes) - 1 else 0
        column = rows[:, axis]
        wrong = rows[(column < low) | (column >= (_PAST if size is None else size))]
        if len(wrong):
            name = names[axis] if axis < len(names) else f"axis {axis + 1}"
            upto = " up" if size is None else f" to {size - 1}"
            rest = "-1 for the largest there" if axis == len(sizes) - 1 else "-1 in all for the largest of all"
            raise InputError(
                f"target {tuple(wrong[0].tolist())} is out of range: give as {name} an index from 0{upto}, or {rest}"
            )


def largest(logits: Array, count: int | None = None) -> NDArray[np.int64]:
    """The largest of each sample's, or the ``count`` largest in descending order, as targets of ``(N, …)`` logits.

    Raises:
        InputError: There are not so many, where the output's sizes are dynamic.
    """
    flat = logits.reshape(len(logits), -1)
    if count is None:
        return _indices(flat.argmax(1), logits.shape[1:])
    if count > flat.shape[1]:
        raise InputError(f"{count} largest are asked for, and the output has {flat.shape[1]} values for such a sample")
    return _indices(np.argsort(-flat, axis=1, kind="stable")[:, :count], logits.shape[1:])


def resolved(target: NDArray[np.int64], logits: Array, several: bool = False) -> NDArray[np.int64]:
    """Targets with the largest in place of −1.

    Args:
        target: ``(N[, T][, r])``.
        logits: ``(N, d_1, …, d_r)``.
        several: Whether there is an axis of targets.
    """
    if several:
        return np.stack([resolved(one, logits) for one in np.moveaxis(target, 1, 0)], 1)
    if logits.ndim == 2:
        return np.where(target == PREDICTED, logits.argmax(1), target)
    of_all = (target == PREDICTED).all(1)
    found = np.where(of_all[:, None], largest(logits), target)
    there = logits[(np.arange(len(logits)), *found[:, :-1].T)].argmax(1)
    found[:, -1] = np.where(found[:, -1] == PREDICTED, there, found[:, -1])
    return found


def explained_elements(
    metadata: Metadata, target: NDArray[np.int64] | None, logits: Array | None, batch: int
) -> NDArray[np.int64] | None:
    """The explained elements, with the largest in place of -1; None where they cannot be known."""
    compiled, count = metadata["target"], metadata.get("targets")
    if compiled == "score":
        return None
    if isinstance(compiled, int):
        return np.full(batch, compiled, dtype=np.int64)
    if target is None:  # predicted
        return None if logits is None else largest(logits, count if isinstance(count, int) else None)
    # -1 is resolved by the logits that the artifact returned; without them which element was explained is not known.
    if not (target == PREDICTED).any():
        return target
    return None if logits is None else resolved(target, logits, several=count is not None)


def _indices(places: NDArray[np.int64], sizes: tuple[int, ...]) -> NDArray[np.int64]:
    """Places among all of a sample's logits as one index for each axis, the last axis; as they are where it is one."""
    return places if len(sizes) == 1 else np.stack(np.unravel_index(places, sizes), -1)
