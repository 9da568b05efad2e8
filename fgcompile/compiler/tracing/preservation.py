"""Keeps interpolation whole while tracing.

Under ``make_fx`` with symbolic sizes PyTorch replaces the interpolation operators, before autograd sees them, by dozens
of gathers whose backward is ``index_put``. A mode of the thread redirects their calls here, below the dispatch key at
which that happens: the forward stays one operator (one Resize in ONNX), and its backward is the operator that
``interpolation`` lowers. Nothing of the process is changed, so other threads trace and compute as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from fgcompile.compiler.ir.torch_internals import argument_names, below_autograd

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

NEAREST = (
    *(aten.upsample_nearest1d, aten.upsample_nearest2d, aten.upsample_nearest3d),
    *(aten._upsample_nearest_exact1d, aten._upsample_nearest_exact2d, aten._upsample_nearest_exact3d),
)
LINEAR_INTERPOLATIONS = (
    *(aten.upsample_linear1d, aten.upsample_bilinear2d, aten.upsample_trilinear3d, aten.upsample_bicubic2d),
    *(aten._upsample_bilinear2d_aa, aten._upsample_bicubic2d_aa),
)
INTERPOLATIONS = (*NEAREST, *LINEAR_INTERPOLATIONS)
"""While the backward is traced."""


def preserve_interpolation(operators: tuple[Any, ...] = INTERPOLATIONS) -> AbstractContextManager[object]:
    """While it is open, interpolation is traced whole in this thread.

    Args:
        operators: Those of ``INTERPOLATIONS`` to keep. An exporter that traces the fused graph once more keeps nearest
            neighbours whole by itself: give it ``LINEAR``.
    """
    return _Preservation(operators) if operators else nullcontext()


class _Preservation(TorchFunctionMode):
    """Takes the calls of interpolation operators, in either overload, and lets every other function pass.

    It does not see what the lowerings call, which PyTorch runs below autograd anyway.
    """

    def __init__(self, operators: Iterable[Any]) -> None:
        super().__init__()
        self._whole: dict[Any, Callable[..., Tensor]] = {}
        for packet in operators:
            self._whole |= {packet.default: _call(packet), packet.vec: _resolve_size(packet)}

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return self._whole.get(func, func)(*args, **(kwargs or {}))


class _Whole(torch.autograd.Function):
    """``operator(x, size, *options)``, whose derivative is ``operator_backward(g, size, x.shape, *options)``."""

    @staticmethod
    def forward(ctx: Any, packet: Any, x: Tensor, size: Sequence[int], *options: Any) -> Tensor:
        ctx.call = (packet, size, x.shape, options)
        with below_autograd():
            return packet.default(x, size, *options)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        packet, size, shape, options = ctx.call
        differentiate = getattr(aten, f"{packet.__name__}_backward").default
        return None, differentiate(*gradients, size, shape, *options), None, *[None] * len(options)


def _call(packet: Any) -> Callable[..., Tensor]:
    """The default overload, which takes a size, and factors if there are any."""

    def call(x: Tensor, output_size: list[int], *options: Any, **keywords: Any) -> Tensor:
        names = argument_names(packet.default)[2:]
        given = dict(zip(names, options, strict=False)) | keywords
        return _Whole.apply(packet, x, list(output_size), *(given.get(name) for name in names))  # type: ignore[no-untyped-call]

    return call


def _resolve_size(packet: Any) -> Callable[..., Tensor]:
    """The ``vec`` overload, which takes a size or factors, as a call of the default overload, which takes both."""
    whole = _call(packet)

    def call(x: Tensor, output_size: list[int] | None, *arguments: Any, **keywords: Any) -> Tensor:
        values = [*arguments, *keywords.values()]
        flags, factors = (
            (values[:-1], values[-1]) if "align_corners" in argument_names(packet.vec) else ([], values[-1])
        )
        rank = x.dim() - 2
        if output_size is None:
            output_size = [_scaled(size, factor) for size, factor in zip(x.shape[2:], factors, strict=True)]
        return whole(x, output_size, *flags, *(factors or [None] * rank))

    return call


def _scaled(size: int, factor: float) -> int:
    """``⌊size · factor⌋``; a size may be symbolic, and ``int`` would make a number of it."""
    if factor == int(factor):
        return size * int(factor)
    scaled: int = torch.sym_int(size * factor)  # type: ignore[no-untyped-call]
    return scaled
