"""Forms that the runtimes of phones take: ExecuTorch, LiteRT and Core ML read exported programs.

- **A padding by a negative amount**, as in the gradient of a padding: a slice; ExecuTorch's kernel refuses it.
- **A split into one piece**: the tensor itself; LiteRT's converter fails on it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import pad_axes

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any


def lower_crop(self: Tensor, pad: Sequence[int], value: float = 0.0) -> Any:
    """Lowers ``constant_pad_nd`` with a negative amount: ``y[i] = x[i − before]``, read as a slice."""
    if not all(isinstance(amount, int) for amount in pad) or min(pad, default=0) >= 0:
        return NotImplemented
    befores, afters = pad[::2], pad[1::2]  # from the last axis to the first
    return pad_axes(self, befores[::-1], afters[::-1], value)


def lower_split(self: Tensor, split_sizes: Sequence[int], dim: int = 0) -> Any:
    """Lowers ``split_with_sizes`` into one piece: a slice of all, which passes remove; a view may not be its base."""
    return [aten.slice.Tensor(self, dim, 0, split_sizes[0])] if len(split_sizes) == 1 else NotImplemented


LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.constant_pad_nd.default: lower_crop,
    aten.split_with_sizes.default: lower_split,
}
