"""A description as a module."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Description, Layer, Shape, Step
from benchmarks.exactness.random_graphs.families import OPERATORS

CLASSES = 3


class FunctionLayer(nn.Module):
    """A function without weights as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *operands: Tensor) -> Tensor:
        return self.function(*operands)


def build_layer(step: Step, shapes: Sequence[Shape], seed: int) -> nn.Module:
    """A step's own layer with seeded weights, in evaluation mode and float64."""
    torch.manual_seed(seed)
    layer: Layer = OPERATORS[step.operator].build(shapes, step.settings)
    module = layer if isinstance(layer, nn.Module) else FunctionLayer(layer)
    for part in module.modules():
        _randomise(part)
    return module.double().eval()


def apply_step(step: Step, layer: nn.Module, values: Sequence[Tensor]) -> Tensor:
    """The step's value from the values before it."""
    value: Tensor = layer(*(values[index] for index in step.operands))
    return value if step.scale == 1.0 else value * step.scale


class RandomNetwork(nn.Module):
    """The graph of a description; values that no step takes go, flattened, into a linear head."""

    def __init__(self, description: Description) -> None:
        super().__init__()
        self.description = description
        self.layers = nn.ModuleList()
        values = sample_inputs(description.inputs, 1, seed=0)
        for index, step in enumerate(description.steps):
            if step.layer is None:
                shapes = [tuple(values[operand].shape[1:]) for operand in step.operands]
                self.layers.append(build_layer(step, shapes, description.seed + index))
            else:
                self.layers.append(self.layers[step.layer])
            with torch.no_grad():
                values.append(apply_step(step, self.layers[-1], values))
        used = {operand for step in description.steps for operand in step.operands}
        self.leaves = [index for index in range(len(values)) if index not in used]
        torch.manual_seed(description.seed)
        features = sum(values[leaf].flatten(1).shape[1] for leaf in self.leaves)
        self.head = nn.Linear(features, CLASSES).double()
        self.eval()

    def forward(self, *inputs: Tensor) -> Tensor:
        values = list(inputs)
        for step, layer in zip(self.description.steps, self.layers, strict=True):
            values.append(apply_step(step, layer, values))
        leaves = [values[leaf].flatten(1) for leaf in self.leaves]
        logits: Tensor = self.head(leaves[0] if len(leaves) == 1 else torch.cat(leaves, 1))
        return logits


def sample_inputs(shapes: Sequence[Shape], batch: int, seed: int) -> list[Tensor]:
    """Normal inputs ``(batch, *shape)``, the same ones for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn((batch, *shape), generator=generator, dtype=torch.float64) for shape in shapes]


def _randomise(module: nn.Module) -> None:
    """Draws what is trivial by default: the parameters of normalisations, and BatchNorm's statistics."""
    if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d):
        assert module.running_mean is not None
        assert module.running_var is not None
        module.running_mean.normal_()
        module.running_var.uniform_(0.5, 1.5)
    norms = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
    if isinstance(module, norms):
        for name, parameter in module.named_parameters():
            nn.init.uniform_(parameter, *((0.5, 1.5) if name == "weight" else (-1.0, 1.0)))
