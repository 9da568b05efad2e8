"""Trained Transformers whose tokens can be taken away: patches of an image become the mean grey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from examples.vision_transformer.mosaics import load_samples, make_mosaics
from examples.vision_transformer.network import load_trained

SIDE = 7
"""Pixels of a patch's side."""


@dataclass(frozen=True)
class Subject:
    """A trained network and samples ``S`` of it.

    Attributes:
        name: In the records.
        label: In tables.
        model: Takes the inputs, returns logits ``(N, K)``.
        inputs: All samples, batch first.
        present: Which tokens each sample has, bool ``(S, T)``.
        without: The inputs of some samples without the tokens that a bool ``(N, T)`` marks.
        by_token: Adds up values of the shape of a map or gradient to those of tokens, ``(N, T)``.
        features: What gradients are taken of: the part of the inputs that is a float, what it is without any token, and
            the logits as a function of it.
        from_class_token: The row of an attention matrix that the logits are read from, and the columns that are tokens.
    """

    name: str
    label: str
    model: nn.Module
    inputs: tuple[Tensor, ...]
    present: Tensor
    without: Callable[[tuple[Tensor, ...], Tensor], tuple[Tensor, ...]]
    by_token: Callable[[Tensor], Tensor]
    features: Callable[[tuple[Tensor, ...]], tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]]
    from_class_token: Callable[[Tensor], Tensor]

    def logits(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Those of a batch, without gradients."""
        with torch.no_grad():
            logits: Tensor = self.model(*inputs)
        return logits


def vision_transformer() -> Subject:
    """``examples/vision_transformer``: 8 × 8 patches of 200 mosaics."""
    images = make_mosaics(load_samples(), torch.Generator().manual_seed(0)).images
    model, grey = load_trained(), float(images.mean())

    def without(inputs: tuple[Tensor, ...], removed: Tensor) -> tuple[Tensor, ...]:
        side = images.shape[-1] // SIDE
        pixels = removed.reshape(-1, 1, side, side).repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)
        return (torch.where(pixels, grey, inputs[0]),)

    def by_token(values: Tensor) -> Tensor:
        return values.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).sum((1, 4, 5)).flatten(1)

    return Subject(
        "vision-transformer",
        "Vision Transformer, 64 patches of a mosaic",
        model,
        (images,),
        torch.ones(len(images), by_token(images[:1]).shape[1], dtype=torch.bool),
        without,
        by_token,
        lambda inputs: (inputs[0], torch.full_like(inputs[0], grey), model),
        lambda weights: weights[:, 0, 1:],
    )


SUBJECTS: Mapping[str, Callable[[], Subject]] = {"vision-transformer": vision_transformer}
"""By name on the command line."""


def some(inputs: tuple[Tensor, ...], places: Any) -> tuple[Tensor, ...]:
    """The inputs of some samples."""
    return tuple(value[places] for value in inputs)
