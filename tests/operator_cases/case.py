"""One row of the table of operator cases."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

Shape = tuple[int, ...]


@dataclass(frozen=True)
class OperatorCase:
    """One use of an operator.

    Attributes:
        name: Unique; what the row shows, e.g. ``"conv2d k3 s2 p1"``.
        function: Maps the inputs, then the constants, to one tensor whose first axis is the batch.
        inputs: Shapes of the activations, without the batch.
        constants: Shapes of the weights.
        family: The kind of operator, which is also the name of its file in ``fgcompile/lowering``.
        positive: Whether the inputs have to be above zero (logarithms, roots).
    """

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Shape, ...]
    constants: tuple[Shape, ...] = ()
    family: str = ""
    positive: bool = False

    def make_constants(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        """Random weights, the same ones on every call."""
        generator = torch.Generator().manual_seed(1)
        return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in self.constants)

    def make_inputs(self, batch: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
        """Random inputs ``(batch, *shape)``, the same ones for the same seed."""
        generator = torch.Generator().manual_seed(seed + 2)
        inputs = (torch.randn((batch, *shape), generator=generator, dtype=torch.float64) for shape in self.inputs)
        return tuple((value.abs() + 0.1 if self.positive else value * 2.0).to(dtype) for value in inputs)


def layer_case(name: str, layer: nn.Module, *inputs: Shape, family: str = "layer") -> OperatorCase:
    """A row for a layer: its parameters are the constants, in the layer's order; of a tuple of outputs, the first."""
    layer.eval().requires_grad_(False)
    names, shapes = zip(*((key, tuple(value.shape)) for key, value in layer.named_parameters()), strict=True)

    def function(*arguments: Tensor) -> Tensor:
        values = dict(zip(names, arguments[len(inputs) :], strict=True))
        output = functional_call(layer, values, arguments[: len(inputs)])
        result: Tensor = output[0] if isinstance(output, tuple) else output
        return result

    return OperatorCase(name, function, inputs, shapes, family)
