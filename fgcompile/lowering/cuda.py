"""Forms for NVIDIA's graphics cards, in place of those that are fastest on a CPU.

- **Strided convolution, backward**: the transposed convolution. For the small, uneven kernels of phases cuDNN has no
  plan in half precision but its direct, grouped kernel: in ONNX Runtime 1.30 on an H200, float16, nine of them take
  1.7 of a ResNet-18's 6.5 ms.
- **Extremes over many elements, in ONNX Runtime**: in steps. It calls cuDNN, which reads a long row by few threads: 34
  reductions of 49 to 12,544 elements a row take 3.4 ms of a ResNet-18's 6.6, on the same card.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from fgcompile.choices import chosen
from fgcompile.lowering.convolution import choose_form, make_lowering

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_LONG = 256
"""Elements of a row from which on it is reduced in steps."""


def _lower_extreme(extreme: Callable[..., Tensor]) -> Callable[..., Any]:
    """The lowering of ``amax`` or ``amin``, which is exact in any order."""

    def lower(self: Tensor, dim: Sequence[int] = (), keepdim: bool = False) -> Any:
        """Lowers an extreme over the last axes: ``max_i x[i] = max_j max_k x[j·w + k]`` with ``w`` near ``√n``."""
        axes = sorted(axis % self.ndim for axis in dim)
        first = self.ndim - len(axes)
        if not axes or axes != list(range(first, self.ndim)):
            return NotImplemented
        before, reduced = self.shape[:first], self.shape[first:]
        if not all(isinstance(size, int) for size in (*before[1:], *reduced)):
            return NotImplemented
        length = math.prod(reduced)
        width = max(divisor for divisor in range(1, math.isqrt(length) + 1) if length % divisor == 0)
        if length < _LONG or width == 1 or not before:
            return NotImplemented
        with chosen("extreme over a row", "in steps", f"{length} elements: cuDNN reads a row by few threads"):
            rows = aten.reshape.default(self, [-1, *before[1:], length // width, width])
            result = extreme(extreme(rows, [-1]), [-1])
            return aten.reshape.default(result, [-1, *before[1:], *[1] * len(axes)]) if keepdim else result

    return lower


CONVOLUTIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: make_lowering(
        partial(choose_form, against_phases="cuDNN is slow at the kernels of phases")
    ),
}

EXTREMES: dict[torch._ops.OpOverload, Callable[..., Any]] = {
    aten.amax.default: _lower_extreme(aten.amax.default),
    aten.amin.default: _lower_extreme(aten.amin.default),
}
