"""What the networks of the zoo take, drawn at random, and the scalar of their outputs that is explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.networks.weights import Draw, sample_inputs


@dataclass(frozen=True)
class Smooth:
    """Images (C, H, W), signals (C, L), videos (C, T, H, W), smooth in space and time.

    Attributes:
        shape: The shape drawn.
        order: The order that the network takes the axes of a sample in, the drawn one if None.
        squeeze: Whether the network takes no channel axis.
    """

    shape: tuple[int, ...]
    order: tuple[int, ...] | None = None
    squeeze: bool = False

    def __call__(self, count: int, seed: int) -> Tensor:
        """Float32 (count, …)."""
        drawn = sample_inputs(self.shape, count, seed)
        if self.order is not None:
            drawn = drawn.permute(0, *(axis + 1 for axis in self.order)).contiguous()
        return drawn.squeeze(1) if self.squeeze else drawn


@dataclass(frozen=True)
class Noise:
    """Independent numbers N(0, 1), float32 (count, *shape)."""

    shape: tuple[int, ...]

    def __call__(self, count: int, seed: int) -> Tensor:
        """Float32 (count, *shape)."""
        return torch.randn(count, *self.shape, generator=torch.Generator().manual_seed(seed))


@dataclass(frozen=True)
class Integers:
    """Tokens or categories: uniform in ``[low, high)``, int64 (count, length)."""

    high: int
    length: int
    low: int = 0

    def __call__(self, count: int, seed: int) -> Tensor:
        """Int64 (count, length)."""
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.low, self.high, (count, self.length), generator=generator)


@dataclass(frozen=True)
class Several:
    """Several inputs, each drawn by itself."""

    parts: tuple[Draw, ...]

    def __call__(self, count: int, seed: int) -> tuple[Tensor, ...]:
        """One tensor for each part."""
        drawn = (part(count, seed=seed + index) for index, part in enumerate(self.parts))
        return tuple(value for value in drawn if isinstance(value, Tensor))


def segmentation_score(output: Any) -> Tensor:
    """The mean over pixels of class 1, ``(N,)``: of logits (N, K, H, W), or of ``out`` or ``logits`` of a structure."""
    logits = output
    if isinstance(output, Mapping):
        logits = output["out"] if "out" in output else output["logits"]
    score: Tensor = logits[:, 1].mean((1, 2))
    return score


def feature_score(output: Any) -> Tensor:
    """The sum over a detector's levels of the mean feature, ``(N,)``."""
    levels = output.values() if isinstance(output, Mapping) else output
    return torch.stack([level.flatten(1).mean(1) for level in levels]).sum(0)


def logit_score(output: Any) -> Tensor:
    """The first class's logit in transformers' ``ModelOutput``, ``(N,)``."""
    score: Tensor = output["logits"][:, 0]
    return score


def last_token_score(output: Any) -> Tensor:
    """The first word's logit at the last token, ``(N,)``."""
    score: Tensor = output["logits"][:, -1, 0]
    return score


def mean_state_score(output: Any) -> Tensor:
    """The first feature of the last hidden states, averaged over the tokens, ``(N,)``."""
    score: Tensor = output["last_hidden_state"][..., 0].mean(1)
    return score


def box_score(output: Any) -> Tensor:
    """The largest logit ``(N,)`` of any box (N, boxes, classes) and class; DETR's last class is that of no object."""
    logits: Tensor = output["cls_logits"] if "cls_logits" in output else output["logits"][..., :-1]
    return logits.amax((1, 2))


def text_vector_score(output: Any) -> Tensor:
    """The cosine ``(N,)`` of CLIP's vectors of pictures and one that stands for a text's."""
    vectors: Tensor = output["image_embeds"]
    text = torch.linspace(-1, 1, vectors.shape[1], dtype=vectors.dtype)
    return torch.nn.functional.cosine_similarity(vectors, text.unsqueeze(0))
