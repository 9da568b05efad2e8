"""Input-gradient of a convolution, as convolutions.

With ``y[o] = Σ_k w[k] x[s·o + d·k − p]`` along each axis, the gradient is ``∂x[i] = Σ_k w[k] g[(i + p − d·k)/s]``
over the taps ``k`` for which the division is exact. Four forms:

- **a single position of the output**: its gradient times the weight, a matrix product, cropped or padded;
- **stride 1**: a convolution with the flipped, transposed weight and padding ``d(k − 1) − p``;
- **stride 2, two-dimensional, many channels**: one convolution per *phase*, ``i = s·m + r``, with exactly the taps of
  that phase. ``k₀ = (r + p) mod s`` is its first tap, ``J = ⌈(K − k₀)/s⌉`` their number and ``q = (r + p − k₀)/s``, so
  that ``∂x[s·m + r] = Σ_j w[k₀ + s·j] g[m + q − j]``; then interleave. (``d = 1``)
- **otherwise**: the transposed convolution.

Where phases pay was measured in ONNX Runtime, as were the forms that were dropped:
``docs/decisions/strided-convolutions.md``, and ``docs/decisions/matrix-products.md`` for the single position.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.annotations import chosen
from fgcompile.compiler.ir.sizes import per_axis
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.lowering.axes import crop_axis, interleave, is_dynamic, pad_axes, reshape

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

_BLOCK = 16
"""Fewest channels for which phases beat the transposed convolution: one block of ONNX Runtime's NCHWc layout."""


@dataclass(frozen=True)
class Layer:
    """A convolution whose input-gradient is wanted.

    Attributes:
        g: The gradient of its output.
        input: Its input, of which only the shape matters.
        weight: Its weight.
        stride: One per axis, as are:
        padding: What lies in front of the input and behind it.
        dilation: The distance of taps.
        transposed: Whether it is a transposed convolution.
        groups: The groups of channels.
    """

    g: Tensor
    input: Tensor
    weight: Tensor
    stride: list[int]
    padding: list[int]
    dilation: list[int]
    transposed: bool
    groups: int

    @property
    def kernel(self) -> Sequence[int]:
        """The sizes of the kernel."""
        return self.weight.shape[2:]

    @property
    def sizes(self) -> Sequence[int]:
        """The input's sizes of space."""
        return self.input.shape[2:]

    @property
    def has_dynamic_sizes(self) -> bool:
        """Whether a size of space is symbolic."""
        return any(is_dynamic(size) for size in self.sizes)

    def crop(self, grad_input: Tensor) -> Tensor:
        """Keeps what lies over the input."""
        for axis in range(2, self.input.dim()):
            grad_input = crop_axis(grad_input, axis, self.input.shape[axis])
        return grad_input


Form = tuple[str, str, Callable[[Layer], Tensor]]
"""A form of the input-gradient: its name, why it is the one for a layer, and the function that builds it."""


def make_lowering(choose: Callable[[Layer], Form]) -> Callable[..., Any]:
    """The lowering of ``convolution_backward`` that takes the form chosen for each layer."""

    def lower(
        grad_output: Tensor,
        input: Tensor,
        weight: Tensor,
        bias_sizes: Sequence[int] | None,
        stride: Sequence[int],
        padding: Sequence[int],
        dilation: Sequence[int],
        transposed: bool,
        output_padding: Sequence[int],
        groups: int,
        output_mask: Sequence[bool],
    ) -> Any:
        """Lowers ``convolution_backward``. A weight-gradient is not: the operator stays, for a check to name."""
        if output_mask[1]:
            return NotImplemented
        steps, pads, gaps = (per_axis(value, input.dim() - 2) for value in (stride, padding, dilation))
        grad_input = None
        if output_mask[0]:
            layer = Layer(grad_output, input, weight, steps, pads, gaps, transposed, groups)
            form, reason, differentiate = choose(layer)
            with chosen("convolution, backward", form, reason):
                grad_input = differentiate(layer)
        grad_bias = None
        if output_mask[2]:
            grad_bias = aten.sum.dim_IntList(grad_output, [0, *range(2, grad_output.dim())])
        return grad_input, None, grad_bias

    return lower


def choose_form(layer: Layer, against_phases: str | None = None) -> Form:
    """The fastest form in ONNX Runtime, by the measurements that the header names.

    Args:
        layer: The convolution.
        against_phases: Why phases are never the choice, if so.
    """
    # In the order of what rules out the rest: a transposed layer has but one form, a single position and stride 1 have
    # one that is always the fastest, and phases are asked for what keeps them from paying, which is then the reason
    # given.
    if layer.transposed:
        return "convolution with the same weight", "the layer is a transposed convolution", _differentiate_transposed
    if _has_single_position(layer):
        return "matrix product with the weight", "the output is a single position", _differentiate_single
    if all(step == 1 for step in layer.stride):
        return "convolution with the flipped, transposed weight", "stride 1", _differentiate_dense
    obstacle = against_phases or _obstacle_to_phases(layer)
    if obstacle is None:
        reason = f"stride 2 and at least {_BLOCK} channels: each phase stays in the blocked layout"
        return "one convolution per phase, interleaved", reason, _differentiate_phases
    return "transposed convolution", obstacle, _differentiate_strided


def convolve(
    x: Tensor,
    weight: Tensor,
    groups: int,
    *,
    stride: Sequence[int] | None = None,
    padding: Sequence[int] | None = None,
    dilation: Sequence[int] | None = None,
    output_padding: Sequence[int] | None = None,
    transposed: bool = False,
) -> Tensor:
    rank = x.dim() - 2
    ones, zeros = [1] * rank, [0] * rank
    return aten.convolution.default(
        x,
        weight,
        None,
        list(stride or ones),
        list(padding or zeros),
        list(dilation or ones),
        transposed,
        list(output_padding or zeros),
        groups,
    )


def _transpose_weight(weight: Tensor, groups: int) -> Tensor:
    """Swaps input and output channels within each group: ``(g·O, I, *K)`` to ``(g·I, O, *K)``."""
    outputs, inputs, *kernel = weight.shape
    if groups == 1:
        return aten.transpose.int(weight, 0, 1)
    grouped = weight.reshape([groups, outputs // groups, inputs, *kernel])
    return aten.transpose.int(grouped, 1, 2).reshape([groups * inputs, outputs // groups, *kernel])


def _flip_kernel(weight: Tensor) -> Tensor:
    axes = [axis for axis in range(2, weight.dim()) if weight.shape[axis] > 1]
    return aten.flip.default(weight, axes) if axes else weight


def _convolve_padded(
    x: Tensor, weight: Tensor, before: Sequence[int], after: Sequence[int], dilation: Sequence[int] | None, groups: int
) -> Tensor:
    """A stride-1 convolution whose padding may differ at the two ends of an axis, or be negative."""
    padding = [low if low == high and low >= 0 else 0 for low, high in zip(before, after, strict=True)]
    x = pad_axes(
        x,
        [low - shared for low, shared in zip(before, padding, strict=True)],
        [high - shared for high, shared in zip(after, padding, strict=True)],
    )
    return convolve(x, weight, groups, padding=padding, dilation=dilation)


def _has_single_position(layer: Layer) -> bool:
    """Whether the output is a single position of a dense or depthwise kernel, so that no two of its windows overlap."""
    if layer.has_dynamic_sizes or any(size != 1 for size in layer.g.shape[2:]):
        return False
    channels = layer.input.shape[1]
    depthwise = layer.groups == channels == layer.weight.shape[0]
    return max(layer.kernel) > 1 and max(layer.dilation) == 1 and (layer.groups == 1 or depthwise)


def _differentiate_single(layer: Layer) -> Tensor:
    """``∂x[i] = w[i + p] g``, summed over the output channels; a depthwise kernel has one for each."""
    if layer.groups == 1:
        outputs = layer.weight.shape[0]
        product = aten.mm.default(reshape(layer.g, [-1, outputs]), layer.weight.reshape(outputs, -1))
        windows = reshape(product, [layer.g.shape[0], *layer.weight.shape[1:]])
    else:
        windows = aten.mul.Tensor(layer.g, aten.transpose.int(layer.weight, 0, 1))
    before = [-p for p in layer.padding]
    after = [size - (k - p) for size, k, p in zip(layer.sizes, layer.kernel, layer.padding, strict=True)]
    return pad_axes(windows, before, after)


def _differentiate_dense(layer: Layer) -> Tensor:
    """Stride 1: ``∂x = g ⋆ flip(w)ᵀ`` with padding ``d(k − 1) − p``."""
    pads = [d * (k - 1) - p for d, k, p in zip(layer.dilation, layer.kernel, layer.padding, strict=True)]
    weight = _flip_kernel(_transpose_weight(layer.weight, layer.groups))
    return _convolve_padded(layer.g, weight, pads, pads, layer.dilation, layer.groups)


def _obstacle_to_phases(layer: Layer) -> str | None:
    """Why phases would be slower, or cannot be built (measured, see the header); None where they are chosen."""
    channels, kernel, stride = layer.input.shape[1], tuple(layer.kernel), tuple(layer.stride)
    if layer.has_dynamic_sizes:
        return "dynamic sizes: phases need to know them"
    if len(stride) != 2 or max(stride) != 2 or max(layer.dilation) != 1:
        return f"stride {stride}, dilation {tuple(layer.dilation)}: phases pay in two dimensions at stride 2, undilated"
    if not all(k > s or s == 1 for k, s in zip(kernel, stride, strict=True)):
        return f"kernel {kernel}, stride {stride}: windows do not overlap, phases are single taps"
    if channels < _BLOCK:
        return f"{channels} channels: phases pay from {_BLOCK} on"
    if layer.groups not in (1, channels):
        return f"{layer.groups} groups: phases pay for dense and depthwise convolutions"
    return None


def _differentiate_phases(layer: Layer) -> Tensor:
    """Undilated: ``∂x[s·m + r] = Σ_j w[k₀ + s·j] g[m + q − j]`` for each phase ``r``, interleaved and cropped."""
    g, stride = layer.g, layer.stride
    transposed = _transpose_weight(layer.weight, layer.groups)
    axes = list(zip(layer.sizes, layer.kernel, stride, layer.padding, strict=True))
    parts = []
    for phase in itertools.product(*map(range, stride)):
        taps, before, after = transposed, [], []
        for axis, (r, (size, k, s, p)) in enumerate(zip(phase, axes, strict=True), start=2):
            first = (r + p) % s
            count = -(-(k - first) // s)
            reach = (r + p - first) // s
            taps = aten.slice.Tensor(taps, axis, first, k, s)
            before.append(count - 1 - reach)
            after.append(-(-size // s) + reach - g.shape[axis])
        parts.append(_convolve_padded(g, _flip_kernel(taps), before, after, None, layer.groups))
    for axis in reversed(range(2, g.dim())):
        step = stride[axis - 2]
        parts = [interleave(parts[i : i + step], axis) for i in range(0, len(parts), step)]
    return layer.crop(parts[0])


def _differentiate_strided(layer: Layer) -> Tensor:
    """The transposed convolution, its output padding chosen so that the input's size comes back.

    A symbolic size takes the largest output padding, ``s − 1``, and is cropped.
    """
    settings = zip(
        layer.sizes, layer.g.shape[2:], layer.kernel, layer.stride, layer.padding, layer.dilation, strict=True
    )
    output_padding = [
        s - 1 if is_dynamic(size) else size - ((out - 1) * s - 2 * p + d * (k - 1) + 1)
        for size, out, k, s, p, d in settings
    ]
    grad_input = convolve(
        layer.g,
        layer.weight,
        layer.groups,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        output_padding=output_padding,
        transposed=True,
    )
    return layer.crop(grad_input)


def _differentiate_transposed(layer: Layer) -> Tensor:
    """Of a transposed convolution: the convolution with the same weight, less what its output padding adds."""
    stride, padding, dilation = layer.stride, layer.padding, layer.dilation
    return layer.crop(convolve(layer.g, layer.weight, layer.groups, stride=stride, padding=padding, dilation=dilation))


lower_convolution_backward = make_lowering(choose_form)

LOWERINGS: dict[OpOverload, Callable[..., Any]] = {
    aten.convolution_backward.default: lower_convolution_backward,
}
