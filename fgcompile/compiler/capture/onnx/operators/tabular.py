"""Operators of tables of features, of the domain ``ai.onnx.ml``, as far as they have a derivative."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from fgcompile.compiler.capture.onnx.operators.operator import Operator


def scaler(x: Tensor, *, offset: Sequence[float] | None = None, scale: Sequence[float] | None = None) -> Tensor:
    """``(x − offset) · scale``, one number of each for every feature or one for all, as float32."""
    y = x.to(torch.float32)
    y = y if offset is None else y - torch.tensor(offset)
    return y if scale is None else y * torch.tensor(scale)


TABULAR: dict[str, Operator] = {"Scaler": Operator(scaler)}
"""Rows of the domain ``ai.onnx.ml``."""
