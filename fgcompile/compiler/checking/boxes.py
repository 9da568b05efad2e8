"""A detector's raw output, boxes beside probabilities, whose largest element is a coordinate and not a class."""

from __future__ import annotations

import warnings

from torch import Tensor

from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureWarning

_COORDINATES = 4
"""Of a box; classes, and in front of them objectness, lie behind."""

_PIXELS = 2.0
"""What coordinates exceed that are not of a box of size 1."""


def warn_of_boxes(output: Tensor | None, request: Request, stacklevel: int) -> None:
    """Warns if the largest element of an output would be explained, or any, and coordinates in pixels are among them.

    Args:
        output: What the model returns for some inputs, if the artifact returns it.
        request: Says what is explained.
        stacklevel: Whose line the warning names, counted from the caller as in ``warnings.warn``.
    """
    axis = _axis_of_boxes(output) if request.target in (None, "predicted") else None
    if axis is None or output is None:
        return
    largest = output.movedim(axis, -1)[..., :_COORDINATES].max().item()
    shape = ", ".join(["N", *(str(size) for size in output.shape[1:])])
    warnings.warn(
        f"the output ({shape}) looks like boxes, up to {largest:.0f}, beside probabilities: its largest element is a "
        "coordinate. To explain a detection, compile with a score, target=fgcompile.scores.Box.yolov8() or .yolov5(), "
        "or give the class's own place at run time, which is behind the box",
        CaptureWarning,
        stacklevel=stacklevel + 1,
    )


def _axis_of_boxes(output: Tensor | None) -> int | None:
    """The axis that holds four numbers beyond 1 and then only numbers between 0 and 1, each of many candidates."""
    if output is None or output.dim() != 3:
        return None
    for axis in (1, 2):
        features = output.movedim(axis, -1)
        if features.shape[-1] <= _COORDINATES or features.shape[1] < 2:
            continue
        boxes, others = features[..., :_COORDINATES], features[..., _COORDINATES:]
        # Every coordinate of a box is somewhere beyond 1: a row of small numbers alone is none.
        if (boxes.amax((0, 1)) > _PIXELS).all() and others.min() >= 0 and others.max() <= 1:
            return axis
    return None
