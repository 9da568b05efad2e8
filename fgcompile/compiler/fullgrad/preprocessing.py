"""Preprocessing in front of the model: the raw image, uint8 ``(N, H, W, C)``, becomes what the model takes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from fgcompile.compiler.ir.programs import Placement
from fgcompile.compiler.request import Preprocess, numbers_of
from fgcompile.errors import CaptureWarning, InputError

_SPACE = frozenset("tdhwl")
"""What axes of space are called in layouts."""


def preprocess_constants(preprocess: Preprocess, dtype: torch.dtype) -> dict[str, Tensor]:
    """``(raw / 255 − mean) / std`` as ``raw · scale + shift``, each ``(C, 1, 1)``."""
    mean = torch.tensor(preprocess.mean, dtype=torch.float64)
    std = torch.tensor(preprocess.std, dtype=torch.float64)
    return {
        "preprocess_scale": (1 / (255 * std)).reshape(-1, 1, 1).to(dtype),
        "preprocess_shift": (-mean / std).reshape(-1, 1, 1).to(dtype),
    }


def apply_preprocess(raw: Tensor, scale: Tensor, shift: Tensor, order: str) -> Tensor:
    """``(N, H, W, C)`` uint8 → ``(N, C, H, W)`` of the constants' dtype, in the model's order of channels."""
    # Contiguous also where C = 1, since a model may flatten by a view, which depends on strides.
    channels_first = raw.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
    given = channels_first.to(scale.dtype)
    return (given.flip(1) if order == "bgr" else given) * scale + shift


def for_channels(preprocess: Preprocess | None, inputs: Sequence[Tensor]) -> Preprocess | None:
    """The preprocessing with a number for each of the model's channels, where it has one for all."""
    if preprocess is None or len(inputs) != 1 or inputs[0].ndim != 4:  # which is said by ``require_image_model``
        return preprocess
    channels = inputs[0].shape[1]
    mean, std = (
        each if isinstance(each, Sequence) else (each,) * channels for each in (preprocess.mean, preprocess.std)
    )
    return replace(preprocess, mean=mean, std=std)


def warn_of_filling(preprocess: Preprocess | None, inputs: Sequence[Tensor], stacklevel: int) -> None:
    """Warns where pictures are resized to less than the model takes, so that all have a margin.

    Args:
        preprocess: What is done to pictures.
        inputs: The model's, ``(N, C, H, W)``.
        stacklevel: Whose line the warning names, counted from the caller as in ``warnings.warn``.
    """
    fit = None if preprocess is None else preprocess.fit
    if fit is None or fit.resize is None:
        return
    height, width = (int(size) for size in inputs[0].shape[2:])
    if fit.fills_up((height, width)):
        (rows, columns), colour = fit.resize, "black" if fit.fill == (0, 0, 0) else f"the colour {fit.fill}"
        warnings.warn(
            f"pictures are resized to {rows} x {columns}, and the model takes {height} x {width}: what is left is "
            f"{colour}; if it was not trained so, give resize=({height}, {width}) or more",
            CaptureWarning,
            stacklevel=stacklevel + 1,
        )


def require_image_model(preprocess: Preprocess, inputs: list[Tensor], maps: Sequence[Placement]) -> None:
    """Checks that the preprocessing fits a model's inputs, and how they lie.

    Raises:
        InputError: The model does not take one image, the channels differ, or they are on another axis.
    """
    if len(inputs) != 1 or inputs[0].ndim != 4:
        raise InputError("preprocess needs a model with one input, an image (N, C, H, W)")
    channels = inputs[0].shape[1]
    counts = sorted({len(numbers_of(each)) for each in (preprocess.mean, preprocess.std)})
    if counts != [channels]:
        raise InputError(
            f"preprocess has mean and std of {' and '.join(map(str, counts))} channels, the model has {channels} "
            "channels: give one number of each per channel, or a number by itself for all"
        )
    for placement in maps:
        if placement.pattern.split()[1] in _SPACE:
            raise InputError(
                f"with a mean and std the model is given (N, C, H, W), and the layout of '{placement.input}' is "
                f"'{placement.pattern}', whose second axis is space: write 'n c h w' or leave it out; a model that "
                "takes its channels last must permute by itself"
            )
