"""Levels as PyTorch's quantisation of exported programs (PT2E) writes them, with the straight-through gradient.

    q = quantize(x, s, z, l, h)    →  quantize(x, s, 0, l − z, h − z) = q − z, where z is a number
    y = dequantize(q, s, z, l, h)  →  dequantize(q − z, s, 0, …) = (q − z) s

A whole number has no derivative, so what lies between is a floating-point number of the same value: a tensor that is
moved and given back, and nothing else may be done with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx
from torch.overrides import TorchFunctionMode

from fgcompile.compiler.capture.last_levels import MOVING
from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.own_backward import QUANTIZED
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.errors import CaptureError

aten = torch.ops.aten

LIBRARY = "quantized_decomposed"
"""The namespace of the operators."""

BETWEEN = {*MOVING, aten.view.default, aten.transpose.int, aten.permute.default, aten.flatten.using_ints}
"""What may move levels."""

ZERO, LOW, HIGH = 2, 3, 4
"""Where the operators for one scale have their zero point and range."""


def _quantize(input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int, dtype: Any) -> Tensor:
    """``q`` as floating-point numbers."""
    linear = input * (1.0 / scale)
    level = linear.detach().round() + zero_point
    inside = (level >= quant_min).logical_and(level <= quant_max).to(input.dtype)
    rounded: Tensor = QUANTIZED(level.clamp(quant_min, quant_max), linear, inside)
    return rounded


def _dequantize(
    input: Tensor, scale: Any, zero_point: Any, quant_min: int, quant_max: int, dtype: Any, *, out_dtype: Any = None
) -> Tensor:
    """``(q − z) s``."""
    level = input if input.is_floating_point() else input.to(out_dtype or torch.float32)
    offset = isinstance(zero_point, Tensor) or zero_point
    real: Tensor = (level - zero_point if offset else level) * scale
    return real


def _along(input: Tensor, axis: int, value: Tensor | None) -> Tensor | None:
    """One for each place along an axis, so that it broadcasts."""
    sizes = [1] * input.dim()
    sizes[axis] = -1
    return None if value is None else value.reshape(sizes)


def _quantize_by_channel(
    input: Tensor, scales: Tensor, zero_points: Tensor, axis: int, quant_min: int, quant_max: int, dtype: Any
) -> Tensor:
    scale, zero = _along(input, axis, scales), _along(input, axis, zero_points)
    return _quantize(input, scale, zero, quant_min, quant_max, dtype)


def _dequantize_by_channel(
    input: Tensor,
    scales: Tensor,
    zero_points: Tensor | None,
    axis: int,
    quant_min: int,
    quant_max: int,
    dtype: Any,
    *,
    out_dtype: Any = None,
) -> Tensor:
    zero = _along(input, axis, zero_points)
    scale = _along(input, axis, scales)
    return _dequantize(input, scale, 0 if zero is None else zero, quant_min, quant_max, dtype, out_dtype=out_dtype)


_ROUNDING = {"quantize_per_tensor": _quantize, "quantize_per_channel": _quantize_by_channel}
_BACK = {"dequantize_per_tensor": _dequantize, "dequantize_per_channel": _dequantize_by_channel}


def written_out() -> dict[OpOverload, Callable[..., Tensor]]:
    """What is done by parts: of each operator with levels all forms that PyTorch has."""
    return dict(_overloads({**_ROUNDING, **_BACK}))


def _overloads(rows: dict[str, Any]) -> Iterator[tuple[OpOverload, Any]]:
    for name, row in rows.items():
        packet = getattr(getattr(torch.ops, LIBRARY), name, None)
        for form in () if packet is None else packet.overloads():
            yield getattr(packet, form), row


class StraightThrough(TorchFunctionMode):
    """While it is open, rounding to levels has the gradient that it has in a captured graph."""

    def __init__(self) -> None:
        super().__init__()
        self._rows = written_out()
        self._rows |= {overload.overloadpacket: row for overload, row in self._rows.items()}  # called by either

    def __torch_function__(self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None) -> Any:
        return self._rows.get(func, func)(*args, **(kwargs or {}))


def separate_zero_points(graph: fx.Graph) -> None:
    """Takes the zero points out of levels, so that only the rounding is in what they add to a score.

    Raises:
        CaptureError: Levels are computed with, or found in a way that is not read; names the layer.
    """
    rounding, back = dict(_overloads(_ROUNDING)), dict(_overloads(_BACK))
    for node in graph.nodes:
        if getattr(node.target, "namespace", None) == LIBRARY and node.target not in {*rounding, *back}:
            raise CaptureError(
                f"'{layer_name(node)}' quantises by {node.target}, which is not read: quantise statically, by tensor "
                "or channel, since a range that is found for the whole batch makes its samples depend on each other"
            )
    for node in [node for node in graph.nodes if node.target in rounding]:
        ends = [node, *_ends(node, back)]
        zeros = {end.args[ZERO] for end in ends}
        if len(zeros) > 1 or not all(isinstance(zero, int) for zero in zeros):
            continue  # what the zero point adds stays a term of its own
        (zero,) = zeros
        for end in ends:
            before, bounds, behind = end.args[:ZERO], end.args[LOW : HIGH + 1], end.args[HIGH + 1 :]
            end.args = (*before, 0, *(bound - zero for bound in bounds), *behind)


def _ends(node: fx.Node, back: dict[OpOverload, Any]) -> Iterator[fx.Node]:
    """Where levels become real numbers again."""
    for user in node.users:
        if user.target in back and user.args[0] is node:
            yield user
        elif user.target in BETWEEN:
            yield from _ends(user, back)
        else:
            raise CaptureError(
                f"'{layer_name(user)}' computes with numbers of 8 bits themselves ({user.target}), which have no "
                "gradient: dequantise them in front of it, as PyTorch's quantisers do, or compile the ONNX file that "
                "torch.onnx.export writes of the model"
            )
