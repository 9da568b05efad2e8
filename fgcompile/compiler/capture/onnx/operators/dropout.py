"""Dropout, which does nothing in inference."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.errors import UnsupportedOpError


def dropout(
    x: Tensor, ratio: Tensor | None = None, training_mode: bool | None = None, *, seed: int = 0, outputs: int = 1
) -> Tensor | tuple[Tensor, Tensor]:
    """The input, and a mask of ones.

    Raises:
        UnsupportedOpError: It is in training mode.
    """
    if training_mode:
        raise UnsupportedOpError("it is in training mode: export the model for inference")
    return x if outputs == 1 else (x, torch.ones_like(x, dtype=torch.bool))


DROPOUT: dict[str, Operator] = {"Dropout": Operator(dropout, ("training_mode",), note="for inference")}
