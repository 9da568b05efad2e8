"""The score of a detector's candidate, from its raw head: before boxes are put in order and thinned out."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from fgcompile.errors import InputError, ScoreError
from fgcompile.scores.classes import log_odds, require_probabilities
from fgcompile.scores.requirements import (
    HELD,
    class_index,
    require_class,
    require_index,
    require_own,
    require_rank,
    require_sizes,
    require_whole,
)

FORM = "(N, A, K) or (N, K, A)"


def _outside(values: Tensor) -> bool:
    """Whether there are none, or one that is no probability."""
    return not values.numel() or bool(((values < 0) | (values > 1)).any())


@dataclass(frozen=True)
class Box:
    """One candidate of a detector's raw head: why this box is of that class.

    ``f`` is the class's logit; of probabilities it is their log-odds, where they are held 1e-6 from 0 and 1, beyond
    which the map is 0; with objectness it is the log-odds of the product, or the log of the product of both's sigmoid;
    with a background it is the class's log-probability.

    By configuration rather than by library; ``yolov5``, ``yolov8``, ``detr`` and ``retinanet`` make the usual ones.

    Attributes:
        index: The class, by number or name; None for the likeliest of the candidate.
        candidate: Its place among the candidates; −1 for the best of that class; None for an input ``candidate`` at run
            time, int64 ``(N,)``, which takes the same; further ones below 0 count from the end, as in Python.
        axis: The axis of the candidates, 1 or 2; classes are on the other.
        first: Where on that the classes begin, behind the box, say.
        objectness: Where on that, in front of the classes, is whether there is anything; None for no such.
        background: Whether the last class is that there is nothing, in one softmax with the others.
        probabilities: Whether the numbers are probabilities, not logits.
    """

    CLASSES: ClassVar = ("index",)
    index: int | str | None = None
    candidate: int | None = -1
    axis: int = 1
    first: int = 0
    objectness: int | None = None
    background: bool = False
    probabilities: bool = False

    def __post_init__(self) -> None:
        require_class(self, "index", optional=True)
        require_whole(self, "axis", "first")
        require_whole(self, "candidate", "objectness", optional=True)
        for name in ("background", "probabilities"):
            if not isinstance(getattr(self, name), bool):
                raise InputError(f"Box has {name}={getattr(self, name)!r}: give True or False")
        if self.axis not in (1, 2):
            raise InputError(f"Box has axis={self.axis}: the candidates are on 1 or 2 of (N, …, …)")
        if self.candidate is not None and self.candidate < -1:
            raise InputError(f"Box has candidate={self.candidate}: give its place, or -1 for the best")
        if self.first < 0 or (self.objectness is not None and not 0 <= self.objectness < self.first):
            raise InputError(f"Box has first={self.first}, objectness={self.objectness}: give 0 <= objectness < first")
        if self.background and self.objectness is not None:
            raise InputError("Box has objectness and a background, which both say that there is nothing: leave one out")

    @classmethod
    def yolov5(cls, index: int | str | None = None, candidate: int | None = -1, probabilities: bool = True) -> Box:
        """``(N, A, 5 + K)``: a box, objectness and classes, after their sigmoid, as it is exported."""
        return cls(index, candidate, first=5, objectness=4, probabilities=probabilities)

    @classmethod
    def yolov8(cls, index: int | str | None = None, candidate: int | None = -1, probabilities: bool = True) -> Box:
        """``(N, 4 + K, A)``: a box and classes, after their sigmoid, as it is exported; YOLO11 too."""
        return cls(index, candidate, axis=2, first=4, probabilities=probabilities)

    @classmethod
    def detr(cls, index: int | str | None = None, candidate: int | None = -1) -> Box:
        """Logits ``(N, Q, K + 1)``, the last of nothing."""
        return cls(index, candidate, background=True)

    @classmethod
    def retinanet(cls, index: int | str | None = None, candidate: int | None = -1) -> Box:
        """Logits ``(N, A, K)`` of a sigmoid each."""
        return cls(index, candidate)

    def own_inputs(self, head: Tensor) -> dict[str, Tensor]:
        """Examples of the inputs of its own; refuses what are no probabilities, in an output for the examples."""
        if self.probabilities:
            values = self._probable(self._by_candidate(head))
            if _outside(values) and not _outside(self._probable(self._by_candidate(head).transpose(1, 2))):
                raise self._turned(head, "only there are all numbers behind the box probabilities")
            require_probabilities("Box", values, "of logits give it probabilities=False")
        return {"candidate": torch.zeros(len(head), dtype=torch.int64)} if self.candidate is None else {}

    def count_classes(self, head: Tensor) -> int | None:
        """How many classes the output has, for labels to be as many."""
        return head.shape[3 - self.axis] - self.first - self.background if head.ndim == 3 else None

    def require_classes(self, head: Tensor, classes: int) -> None:
        """Refuses an output whose axes lie the other way, as the number of classes says that are known by name.

        Raises:
            ScoreError: It has so many on the axis that was taken for the candidates', and not on the other.
        """
        require_rank(head, 3, FORM, "Box")
        numbers = self.first + classes + self.background
        if head.shape[self.axis] == numbers != head.shape[3 - self.axis]:
            raise self._turned(head, f"there are labels for {classes} classes")

    def __call__(self, head: Tensor, candidate: Tensor | None = None) -> Tensor:
        by_candidate = self._by_candidate(head)
        require_own("Box", "candidate", candidate, self.candidate is None)
        if self.candidate is not None and self.candidate >= 0:
            require_index(self.candidate, by_candidate.shape[1], "candidate")
            return self._of_class(by_candidate[:, self.candidate : self.candidate + 1])[:, 0]
        of_class = self._of_class(by_candidate)
        if candidate is None:
            return of_class.amax(1)
        require_sizes("Box", "candidate", candidate, head.shape[:1], "one for each sample, int64 (N,)")
        rows = torch.arange(of_class.shape[0], device=head.device)
        return torch.where(candidate == -1, of_class.amax(1), of_class[rows, candidate])

    def _by_candidate(self, head: Tensor) -> Tensor:
        require_rank(head, 3, FORM, "Box")
        if isinstance(head.shape[self.axis], int) and not isinstance(head.shape[3 - self.axis], int):
            raise self._turned(
                head, "how many there are depends on the size of the input, as is so of candidates alone"
            )
        return head if self.axis == 1 else head.transpose(1, 2)

    def _probable(self, by_candidate: Tensor) -> Tensor:
        """What has to be a probability, of an output by its candidates; nothing where that is too short."""
        there = [] if self.objectness is None else [by_candidate[:, :, self.objectness : self.objectness + 1]]
        return torch.cat([by_candidate[:, :, self.first :], *there], 2)

    def _turned(self, head: Tensor, why: str) -> ScoreError:
        other = replace(self, axis=3 - self.axis)
        given = ", ".join(
            f"{each.name}={getattr(other, each.name)!r}"
            for each in fields(other)
            if each.name == "axis" or getattr(other, each.name) != each.default
        )
        shape = ", ".join(["N", *(str(size) if isinstance(size, int) else "…" for size in head.shape[1:])])
        return ScoreError(
            f"Box has the candidates on axis {self.axis} of the output, ({shape}), and they are on axis {other.axis}: "
            f"{why}; use Box({given})"
        )

    def _of_class(self, head: Tensor) -> Tensor:
        """The score of the class, or of the likeliest, of each candidate."""
        scores = self._scores(head)
        if self.index is None:
            return scores.amax(2)
        return scores[:, :, class_index("Box", "index", self.index, scores.shape[2])]

    def _scores(self, head: Tensor) -> Tensor:
        """The score of each class of each candidate."""
        classes = head[:, :, self.first :]
        if head.shape[2] <= self.first + self.background:
            count = head.shape[2]
            raise ScoreError(f"Box has classes from {self.first} on, and the output has {count} numbers a candidate")
        if self.background:
            logs = classes.clamp(min=HELD).log() if self.probabilities else classes.log_softmax(2)
            return logs[:, :, :-1]
        if self.objectness is None:
            return log_odds(classes) if self.probabilities else classes
        there = head[:, :, self.objectness].unsqueeze(2)
        return log_odds(there * classes) if self.probabilities else logsigmoid(there) + logsigmoid(classes)
