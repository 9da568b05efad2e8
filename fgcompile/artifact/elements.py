"""Elements of an artifact's output in words: their names and scores, and which ones score best."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.metadata import Metadata, TargetAxis
from fgcompile.artifact.names import LOGITS
from fgcompile.artifact.questions import PREDICTED, asked_axes, largest

Element = tuple[int, ...]
"""One index for each axis behind the batch of an output: ``(k,)`` of logits ``(N, K)``."""


@dataclass(frozen=True)
class ClassScore:
    """One class, or one element, of one sample.

    Attributes:
        index: The class; of an output of more axes the index on each.
        name: Its label, or ``"class 7"`` where the artifact has no labels.
        score: Its logit.
    """

    index: int | list[int]
    name: str
    score: float


def written(score: float) -> str:
    """A score as it is read."""
    return f"{score:.2f}".replace("-", "−")


def score_of_terms(
    contributions: NDArray[Any] | None, residual: NDArray[Any] | None, metadata: Metadata
) -> float | None:
    """The explained score of a sample: its terms and the residual add up to it. None where they are not known.

    Without a residual they do within the rounding of float32, by completeness; halves round what people are shown.

    Args:
        contributions: The sample's, ``(1 + T,)``.
        residual: Its own, ``()``.
        metadata: The artifact's.
    """
    if contributions is None:
        return None
    total = float(contributions.sum(dtype=np.float64))
    if residual is not None:
        return total + float(residual)
    return total if metadata.get("precision", "float32") == "float32" else None


def class_name(index: int, labels: Sequence[str] | None) -> str:
    """A class's label, with its number where another has the same: ``missile (744)``; ``class 7`` without labels."""
    if labels is None:
        return f"class {index}"
    return labels[index] if labels.count(labels[index]) == 1 else f"{labels[index]} ({index})"


def class_score(logits: NDArray[Any], index: int, labels: Sequence[str] | None) -> ClassScore:
    """One class of a sample's logits, shape ``(K,)``."""
    return ClassScore(index, class_name(index, labels), float(logits[index]))


def top_classes(logits: NDArray[Any], labels: Sequence[str] | None, count: int = 3) -> tuple[ClassScore, ...]:
    """The ``count`` best classes of a sample's logits, shape ``(K,)``, best first; of equals the lower index first."""
    order = np.argsort(-logits, kind="stable")[:count]
    return tuple(class_score(logits, int(index), labels) for index in order)


def output_axes(metadata: Metadata) -> list[TargetAxis]:
    """The axes behind the batch of the output that is explained; without ``target`` as an input those of the logits."""
    if axes := asked_axes(metadata):
        return axes
    sizes = next((spec["shape"][1:] for spec in metadata["outputs"] if spec["name"] == LOGITS), [])
    return [{"name": f"axis_{number}", "size": size} for number, size in enumerate(sizes, start=1)]


def class_axis(metadata: Metadata) -> int | None:
    """Which of the axes is the classes': the only one, the one that is called so, or the one with as many labels."""
    axes, labels = output_axes(metadata), metadata["labels"]
    if len(axes) <= 1:
        return 0
    called = [number for number, axis in enumerate(axes) if axis["name"] == "class"]
    if labels is None:
        return called[0] if called else None
    fitting = [number for number, axis in enumerate(axes) if axis["size"] == len(labels)]
    return next((number for number in called if number in fitting), fitting[0] if len(fitting) == 1 else None)


def plain(element: Element) -> int | list[int]:
    """An element as people write it: a class, or the index on each axis."""
    return element[0] if len(element) == 1 else list(element)


def element_name(element: Element, metadata: Metadata, numbered: bool = False) -> str:
    """``bald eagle``, ``class 7``; of more axes also where: ``cat at (40, 31)``; ``numbered`` leaves labels out."""
    classes, labels = class_axis(metadata), metadata["labels"]
    if classes is None:
        return f"element ({', '.join(map(str, element))})"
    name = class_name(element[classes], None if numbered else labels)
    if labels is None and [axis["size"] for axis in output_axes(metadata)] == [1]:
        name = "value"  # a regression's
    place = [str(index) for axis, index in enumerate(element) if axis != classes]
    return f"{name} at ({', '.join(place)})" if len(place) > 1 else f"{name} at {place[0]}" if place else name


def element_score(logits: NDArray[Any], element: Element, metadata: Metadata) -> ClassScore:
    """One element of a sample's logits, shape ``(d_1, …, d_r)``."""
    return ClassScore(plain(element), element_name(element, metadata), float(logits[element]))


def best_elements(
    logits: NDArray[Any], metadata: Metadata, count: int = 3, place: Element | None = None
) -> tuple[Element, ...]:
    """The best classes of a sample at one place, best first; where no axis is the classes', the largest elements.

    Args:
        logits: ``(d_1, …, d_r)``.
        metadata: The artifact's.
        count: How many at most.
        place: An element there; by default the largest of all.
    """
    classes = class_axis(metadata)
    if classes is None:
        return tuple(tuple(found) for found in largest(logits[np.newaxis], count)[0].tolist())
    here = place or largest_element(logits)
    at: tuple[Any, ...] = (*here[:classes], slice(None), *here[classes + 1 :])
    there = logits[at]
    order = np.argsort(-there, kind="stable")[:count].tolist()
    return tuple((*here[:classes], index, *here[classes + 1 :]) for index in order)


def largest_element(logits: NDArray[Any]) -> Element:
    """The largest of a sample's logits, ``(d_1, …, d_r)``."""
    return resolve((PREDICTED,) * logits.ndim, logits)


def resolve(element: Element, logits: NDArray[Any]) -> Element:
    """The element with, for every −1, the indices of the largest of those that the others leave."""
    left = logits[tuple(slice(None) if index == PREDICTED else index for index in element)]
    found = iter(np.unravel_index(int(np.argmax(left)), left.shape)) if left.ndim else iter(())
    return tuple(int(next(found)) if index == PREDICTED else index for index in element)
