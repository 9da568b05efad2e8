"""Constants of a dynamic shape as expanded constants of size one: every runtime has Expand, some lack ConstantOfShape.

Autograd makes zeros to scatter into, and ones to multiply; the other lowerings ask :func:`is_zeros` in order to leave
them out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor
from torch.fx.experimental.proxy_tensor import get_proxy_mode, get_proxy_slot

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_ZEROS = (aten.zeros.default, aten.new_zeros.default, aten.zeros_like.default)


def _is_dynamic(size: Sequence[int]) -> bool:
    return any(isinstance(extent, SymInt) for extent in size)


def _fill(size: Sequence[int], value: complex, dtype: torch.dtype | None, device: torch.device | None) -> Any:
    """A constant of size one, expanded and copied, since autograd may write into it. A static shape stays as it is."""
    if not _is_dynamic(size):
        return NotImplemented
    one = aten.full.default([1] * len(size), value, dtype=dtype, device=device)
    return aten.clone.default(aten.expand.default(one, list(size)), memory_format=torch.contiguous_format)


def lower_zeros(size: Sequence[int], *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    """Lowers ``zeros``."""
    return _fill(size, 0, dtype or torch.get_default_dtype(), device)


def lower_full(
    size: Sequence[int], value: complex, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any
) -> Any:
    """Lowers ``full``."""
    return _fill(size, value, dtype, device)


def lower_new_zeros(
    self: Tensor, size: Sequence[int], *, dtype: torch.dtype | None = None, device: Any = None, **_: Any
) -> Any:
    """Lowers ``new_zeros``."""
    return _fill(size, 0, dtype or self.dtype, device or self.device)


def lower_zeros_like(self: Tensor, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any) -> Any:
    """Lowers ``zeros_like``."""
    return _fill(self.shape, 0, dtype or self.dtype, device or self.device)


def lower_full_like(
    self: Tensor, value: complex, *, dtype: torch.dtype | None = None, device: Any = None, **_: Any
) -> Any:
    """Lowers ``full_like``."""
    return _fill(self.shape, value, dtype or self.dtype, device or self.device)


def is_zeros(x: Tensor) -> bool:
    """Whether the graph under construction made ``x`` as zeros, so that adding it changes nothing."""
    mode = get_proxy_mode()
    slot = None if mode is None else get_proxy_slot(x, mode.tracer, None)
    if slot is None:
        return False
    node = slot.proxy.node
    while node.target in (aten.clone.default, aten.expand.default):
        (node,) = node.all_input_nodes[:1]
    return node.target in _ZEROS or (node.target is aten.full.default and bool(node.args[1] == 0))


LOWERINGS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.zeros.default: lower_zeros,
    aten.full.default: lower_full,
    aten.new_zeros.default: lower_new_zeros,
    aten.zeros_like.default: lower_zeros_like,
    aten.full_like.default: lower_full_like,
}
