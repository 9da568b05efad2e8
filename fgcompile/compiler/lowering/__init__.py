"""Lowering: backward operators as portable forward ones, by operator decomposition (``make_fx``'s sense).

One file a family, each with one table ``LOWERINGS``. What the lowered graph keeps out, since some runtime lacks it
or is slow at it: scatter and ``index_put``, pooling indices, Sign, OneHot, ConstantOfShape of a dynamic shape, TopK.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fgcompile.compiler.ir.tables import join_tables
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering import (
    activation,
    border_padding,
    ceiling,
    convolution,
    creation,
    forward_gaps,
    indexing,
    interpolation,
    own_backward,
    pooling,
    sampling,
    selection,
)
from fgcompile.compiler.lowering.targets import aotinductor, cuda, onnxruntime, phones

FAMILIES = (
    activation,
    border_padding,
    ceiling,
    convolution,
    creation,
    forward_gaps,
    indexing,
    interpolation,
    own_backward,
    pooling,
    sampling,
    selection,
)

FOR_RUNTIMES = {
    ("onnx", "cpu"): onnxruntime.LOWERINGS,
    ("pt2", "cpu"): aotinductor.LOWERINGS,
    ("exported", "cpu"): phones.LOWERINGS,
    ("onnx", "cuda"): onnxruntime.LOWERINGS | cuda.CONVOLUTIONS | cuda.EXTREMES,
    ("torchscript", "cuda"): cuda.CONVOLUTIONS,
    ("pt2", "cuda"): cuda.CONVOLUTIONS,
    ("exported", "cuda"): cuda.CONVOLUTIONS | phones.LOWERINGS,
}
"""Rows that take others' place for a format on a device, since its runtime is fast at something else, or lacks it."""


def decomposition_table(format: str = "onnx", device: str = "cpu") -> dict[OpOverload, Callable[..., Any]]:
    """Joins the families' tables into the one that ``make_fx`` takes.

    Args:
        format: What the lowered graph is emitted as.
        device: Where it is to be fast; it runs on any.

    Raises:
        ValueError: Two families lower the same operator.
    """
    table = join_tables("the table of lowerings", (family.LOWERINGS for family in FAMILIES))
    return table | FOR_RUNTIMES.get((format, device), {})
