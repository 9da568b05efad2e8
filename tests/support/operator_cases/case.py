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
        family: The kind of operator, which is also the name of its file in ``fgcompile/compiler/lowering``.
        positive: Whether the inputs have to be above zero (logarithms, roots).
        integers: For each input the number of ids that it takes, 0 where it takes floats; empty where all do.
    """

    name: str
    function: Callable[..., Tensor]
    inputs: tuple[Shape, ...]
    constants: tuple[Shape, ...] = ()
    family: str = ""
    positive: bool = False
    integers: tuple[int, ...] = ()

    def make_constants(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
        """Random weights, the same ones on every call."""
        generator = torch.Generator().manual_seed(1)
        return tuple(torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype) for shape in self.constants)

    def make_inputs(self, batch: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[Tensor, ...]:
        """Random inputs ``(batch, *shape)``, the same ones for the same seed."""
        generator = torch.Generator().manual_seed(seed + 2)

        def make(shape: Shape, ids: int) -> Tensor:
            if ids:
                return torch.randint(ids, (batch, *shape), generator=generator)
            value = torch.randn((batch, *shape), generator=generator, dtype=torch.float64)
            return (value.abs() + 0.1 if self.positive else value * 2.0).to(dtype)

        return tuple(map(make, self.inputs, self.integers or [0] * len(self.inputs)))


def layer_case(name: str, layer: nn.Module, *inputs: Shape, family: str = "layer") -> OperatorCase:
    """A row for a layer: parameters and buffers are the constants, in its order; of a tuple of outputs, the first."""
    layer.eval().requires_grad_(False)
    values = [*layer.named_parameters(), *layer.named_buffers()]
    names, shapes = zip(*((key, tuple(value.shape)) for key, value in values), strict=True)

    def function(*arguments: Tensor) -> Tensor:
        values = dict(zip(names, arguments[len(inputs) :], strict=True))
        output = functional_call(layer, values, arguments[: len(inputs)])
        result: Tensor = output[0] if isinstance(output, tuple) else output
        return result

    return OperatorCase(name, function, inputs, shapes, family)
