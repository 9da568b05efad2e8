"""A model and its examples as capturing takes them: tensors by position, each with its batch in front.

{"ids": i, "mask": m}                    →  by position (``binding``)
x (L, N, H), layouts={"x": "l n h"}      →  (N, L, H), for a model around the user's that puts the batch back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.artifact.layouts import written_axis
from fgcompile.compiler.capture.binding import Around, Named, argument_names, bind_inputs, input_names
from fgcompile.compiler.capture.models import require_model
from fgcompile.compiler.examples import Inputs, in_one_batch
from fgcompile.compiler.ir.batch_axes import put_back, to_front
from fgcompile.compiler.request import Model, Request
from fgcompile.errors import InputError

ONLY = "x"
"""What an artifact calls the only input of a model, where it was given by position."""


@dataclass(frozen=True)
class Bound:
    """A model, or one around it, and what it takes.

    Attributes:
        model: Takes the inputs by position.
        inputs: The examples ``(N, …)``.
        names: What an artifact calls them.
        batch_axes: Where the user has the batch of each.
        alone: Whether the model is captured for one sample, since it takes no free batch.
    """

    model: Model
    inputs: tuple[Tensor, ...]
    names: tuple[str, ...]
    batch_axes: tuple[int, ...]
    alone: bool = False


class BatchInFront(Around):
    """A model around one that has the batch of some inputs on another axis: all that it takes are ``(N, …)``."""

    def __init__(self, model: nn.Module, axes: Sequence[int]) -> None:
        super().__init__(model)
        self.axes = tuple(axes)

    def forward(self, *inputs: Tensor) -> Any:
        return self.wrapped_model(*(put_back(value, axis) for value, axis in zip(inputs, self.axes, strict=True)))


def bind(model: Model, given: Inputs, request: Request) -> Bound:
    """The inputs by position and with the batch in front, and the model that takes them so.

    Raises:
        CaptureError: The model cannot be captured, see ``require_model``.
        InputError: As ``bind_inputs``; or an input whose batch is elsewhere has none, is a picture to preprocess, or is
            an exported program's; or they have different numbers of samples.
    """
    require_model(model)
    bound, inputs = bind_inputs(model, given)
    own = argument_names(bound, len(inputs))
    if len(own) < len(inputs):
        raise InputError(f"the model takes {len(own)} inputs ({', '.join(own)}), and {len(inputs)} are given")
    names = _artifact_names(model, given, own)
    axes = tuple(
        written_axis(request.layouts.get(name, request.layouts.get(called)), value.ndim)
        for name, called, value in zip(own, names, inputs, strict=True)
    )
    if not any(axes):
        return Bound(bound, in_one_batch(dict(zip(names, inputs, strict=True))), names, axes)
    moved = next(name for name, axis in zip(names, axes, strict=True) if axis)
    if request.preprocess is not None:
        raise InputError(f"preprocess takes images (N, H, W, C), and the batch of '{moved}' is not in front: leave one")
    if isinstance(bound, ExportedProgram):
        raise InputError(
            f"the batch of '{moved}' is not in front, which an exported program's has to be: "
            "pass the torch.nn.Module that it was made from"
        )
    fronted = tuple(to_front(value, axis) for value, axis in zip(inputs, axes, strict=True))
    for name, value, example in zip(names, fronted, inputs, strict=True):
        if not len(value):
            raise InputError(f"example input {name} has shape {tuple(example.shape)}: it needs a batch of at least 1")
    return Bound(BatchInFront(bound, axes), in_one_batch(dict(zip(names, fronted, strict=True))), names, axes)


def as_given(model: nn.Module, inputs: Sequence[Tensor]) -> list[Tensor]:
    """The inputs of a model of ours, the batch where the user has it."""
    part: Any = model
    while not isinstance(part, BatchInFront) and hasattr(part, "wrapped_model"):
        part = part.wrapped_model
    axes: tuple[int, ...] = part.axes if isinstance(part, BatchInFront) else ()
    others = [0] * (len(inputs) - len(axes))
    return [put_back(value, axis) for value, axis in zip(inputs, (*axes, *others), strict=True)]


def _artifact_names(model: Model, given: Inputs, own: Sequence[str]) -> tuple[str, ...]:
    """Those of the model's parameters, or file; a module's only input given by position is ``x``, unless another is."""
    named = isinstance(given, Mapping) or (not isinstance(given, Tensor) and isinstance(given[-1], Mapping))
    if len(own) > 1 or named or ONLY in input_names(model) or isinstance(model, Named):
        return tuple(own)
    return (ONLY,)
