"""A detector's box of the explained candidate, from an output that the artifact returns.

No artifact says which of its outputs holds boxes, nor how: the user does, as ``OUTPUT:LAYOUT[:fraction][:CANDIDATE]``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fgcompile.artifact.elements import Element, class_axis, output_axes
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS, is_predicted
from fgcompile.artifact.scores import arguments_of, candidate_of_logits
from fgcompile.errors import InputError

LAYOUTS = ("cxcywh", "xyxy", "xywh")
"""What the four numbers of a box are: its middle and size, two corners, a corner and its size."""

_FRACTION = "fraction"
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Boxes:
    """Where boxes are.

    Attributes:
        output: The name of the output ``(N, Q, C)`` or ``(N, C, Q)``; where ``C > 4`` its first four channels.
        layout: One of ``LAYOUTS``.
        fraction: Whether they are parts of the picture's size, not pixels.
        candidate: Which is drawn; None for the explained one.
    """

    output: str
    layout: str
    fraction: bool = False
    candidate: int | None = None

    def require(self, metadata: Metadata) -> None:
        """Passes artifacts that return such boxes, of candidates that can be told.

        Raises:
            InputError: They do not.
        """
        names = [spec["name"] for spec in metadata["outputs"] if is_predicted(spec["name"])]
        if self.output not in names:
            others = ", ".join(names) or "none"
            raise InputError(
                f"box {self.output}: the artifact has no such output, it has {others}: compile it with 'model' among "
                "its outputs"
            )
        if self.candidate is None and not _tells_candidate(metadata):
            raise InputError(
                f"box {self.output}: which candidate this artifact explains is not known: add it, "
                f"{self.output}:{self.layout}:CANDIDATE"
            )
        if self.output == LOGITS and metadata["target"] == "predicted":
            raise InputError(
                f"box {self.output}: this artifact explains the largest element, which may be a coordinate of a box: "
                "compile with target=None, or of another output"
            )

    def passed_over(self, logits: NDArray[Any]) -> NDArray[Any]:
        """One sample's logits, with −∞ in place of coordinates where they hold boxes: no class is sought there."""
        if self.output != LOGITS or logits.ndim != 2:
            return logits
        found = logits.copy()
        self._rows(found)[:] = -np.inf
        return found

    def of(
        self,
        element: Element | None,
        values: NDArray[Any],
        photo: tuple[int, int],
        metadata: Metadata,
        logits: NDArray[Any] | None = None,
    ) -> Box:
        """The box of a candidate, ``(left, top, right, bottom)`` in parts of the picture.

        Args:
            element: The explained one, ``(q, k)`` in any order.
            values: One sample of the output.
            photo: Height and width.
            metadata: The artifact's.
            logits: The sample's, which say what a detector's score is of.

        Raises:
            InputError: There is no such box, or it is in other units.
        """
        rows = self._rows(values)
        candidate = candidate_of_logits(logits, metadata) if self.candidate is None else self.candidate
        if candidate is None:
            candidate = _candidate(element, metadata, len(rows))
        if not 0 <= candidate < len(rows):
            raise InputError(f"box {self.output} has no candidate {candidate}: give one from 0 to {len(rows) - 1}")
        first, second, third, fourth = (float(value) for value in rows[candidate])
        corners = {
            "cxcywh": (first - third / 2, second - fourth / 2, first + third / 2, second + fourth / 2),
            "xyxy": (first, second, third, fourth),
            "xywh": (first, second, first + third, second + fourth),
        }[self.layout]
        self._require_unit(rows, photo)
        if self.fraction:
            return corners
        height, width = photo
        return corners[0] / width, corners[1] / height, corners[2] / width, corners[3] / height

    def _rows(self, values: NDArray[Any]) -> NDArray[Any]:
        """``(Q, 4)``, a view: all of such an output, else the first of its channels, fewer than the candidates."""
        if values.ndim == 2 and 4 in values.shape and self.output != LOGITS:
            return values if values.shape[1] == 4 else values.T
        if values.ndim != 2 or min(values.shape) < 4 or values.shape[0] == values.shape[1]:
            raise InputError(
                f"box {self.output} is {values.shape} a sample: give an output (Q, C) or (C, Q) whose C channels are "
                "four or more, the box first, and fewer than its Q candidates"
            )
        return values.T[:, :4] if values.shape[0] < values.shape[1] else values[:, :4]

    def _require_unit(self, rows: NDArray[Any], photo: tuple[int, int]) -> None:
        most = float(np.abs(rows).max())
        if self.fraction and most > 4:
            raise InputError(
                f"box {self.output} has numbers up to {most:g}, no parts of a picture: leave out 'fraction'"
            )
        if not self.fraction and most <= 1.5 < min(photo):
            raise InputError(
                f"box {self.output} has no number above {most:g}: if they are parts of the picture's size, write "
                f"{self.output}:{self.layout}:{_FRACTION}"
            )


def read_boxes(text: str | None) -> Boxes | None:
    """``pred_boxes:cxcywh:fraction``, ``logits:cxcywh``, ``boxes:xyxy:17``.

    Raises:
        InputError: It is none of that.
    """
    if text is None:
        return None
    found = re.fullmatch(rf"(.+?):({'|'.join(LAYOUTS)})(:{_FRACTION})?(?::(\d+))?", str(text))
    if found is None:
        raise InputError(
            f"box {text}: give the output's name and how it holds boxes, OUTPUT:LAYOUT, of {', '.join(LAYOUTS)}, and "
            f":{_FRACTION} behind where they are parts of the picture"
        )
    return Boxes(found[1], found[2], found[3] is not None, None if found[4] is None else int(found[4]))


def boxes_in(logits: NDArray[Any] | None, outputs: Mapping[str, NDArray[Any]], boxes: Boxes) -> NDArray[Any]:
    """One sample of the output that holds the boxes."""
    values = logits if boxes.output == LOGITS else outputs.get(boxes.output)
    if values is None:
        raise InputError(f"box {boxes.output}: the artifact did not return it")
    return values


def _tells_candidate(metadata: Metadata) -> bool:
    """Whether it is known which candidate an artifact explains; the logits say so of the score ``Box``."""
    if metadata["target"] != "score":
        return len(output_axes(metadata)) == 2
    if metadata.get("scored", {}).get("name") != "Box":
        return False
    candidate = arguments_of(metadata).get("candidate", -1)
    returned = any(spec["name"] == LOGITS for spec in metadata["outputs"])
    return candidate is not None and (candidate >= 0 or returned)


def _candidate(element: Element | None, metadata: Metadata, count: int) -> int:
    """The index on the axis that is not the classes', or else on the one that is as long as there are boxes."""
    sizes, classes = [axis["size"] for axis in output_axes(metadata)], class_axis(metadata)
    fitting = [axis for axis, size in enumerate(sizes) if size == count]
    if classes is not None:
        fitting = [axis for axis in fitting if axis != classes]
    if element is None or len(fitting) != 1:
        raise InputError(f"there are {count} boxes, and which of them is explained is not known: add its number")
    return element[fitting[0]]
