"""Keeps interpolation whole while tracing.

Under ``make_fx`` with symbolic sizes PyTorch replaces the interpolation operators, before autograd sees them, by dozens
of gathers whose backward is ``index_put``. With those Python kernels set aside, the forward stays one operator (one
Resize in ONNX) and its backward is the operator that ``interpolation`` lowers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch._C import DispatchKey

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

_KEYS = (DispatchKey.Autograd, DispatchKey.CompositeImplicitAutograd)


def _scaled(size: int, factor: float) -> int:
    """``⌊size · factor⌋``; a size may be symbolic, and ``int`` would make a number of it."""
    if factor == int(factor):
        return size * int(factor)
    scaled: int = torch.sym_int(size * factor)  # type: ignore[no-untyped-call]
    return scaled


def _resolve_size(operator: torch._ops.OpOverload) -> Callable[..., Tensor]:
    """The ``vec`` overload, which takes a size or factors, as a call of the default overload, which takes both."""

    def call(x: Tensor, output_size: list[int] | None, *arguments: Any, **keywords: Any) -> Tensor:
        names = [argument.name for argument in operator._schema.arguments]
        values = [*arguments, *keywords.values()]
        flags, factors = (values[:-1], values[-1]) if "align_corners" in names else ([], values[-1])
        rank = x.dim() - 2
        if output_size is None:
            output_size = [_scaled(size, factor) for size, factor in zip(x.shape[2:], factors, strict=True)]
        result: Tensor = operator(x, list(output_size), *flags, *(factors or [None] * rank))
        return result

    return call


@contextmanager
def preserve_interpolation(operators: tuple[Any, ...] = INTERPOLATIONS) -> Iterator[None]:
    """While it is open, interpolation is traced whole. PyTorch's dispatch is changed, and put back at the end.

    Args:
        operators: Those of ``INTERPOLATIONS`` to keep. An exporter that traces the fused graph once more keeps nearest
            neighbours whole by itself, and looks for the very kernels that are set aside here: give it
            ``LINEAR_INTERPOLATIONS``.
    """
    overloads = [overload for packet in operators for overload in (packet.default, packet.vec)]
    saved = [(overload, dict(overload.py_kernels)) for overload in overloads]
    try:
        for overload in overloads:
            for key in _KEYS:
                overload.py_kernels.pop(key, None)
            overload._dispatch_cache.clear()
        for packet in operators:
            for key in _KEYS:
                packet.vec.py_kernels[key] = _resolve_size(packet.default)
        yield
    finally:
        for overload, kernels in saved:
            overload.py_kernels.clear()
            overload.py_kernels.update(kernels)
            overload._dispatch_cache.clear()
