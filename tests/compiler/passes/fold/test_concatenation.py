"""Concatenations that begin alike are nested, and outputs and terms stay what they were."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.aggregation import contributions
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.ir.runner import run_program_passes
from fgcompile.compiler.passes.fold.concatenation import nest_concatenations

aten = torch.ops.aten


class Dense(nn.Module):
    """Layers that read all before them, side by side along an axis."""

    def __init__(self, axis: int, backwards: bool = False) -> None:
        super().__init__()
        self.axis, self.backwards = axis, backwards
        self.layers = nn.ModuleList(nn.Conv2d(3, 3, 3, padding=1) for _ in range(4))
        self.one = nn.Conv2d(3, 3, 1)

    def forward(self, x: Tensor) -> Tensor:
        features = [self.one(x)]
        for layer in self.layers:
            joined = torch.cat(features[::-1] if self.backwards else features, self.axis)
            channels = joined if self.axis % 4 != 1 else joined.unflatten(1, (-1, 3)).sum(1)
            features.append(layer(channels).relu()[:, :, :5, :6])
        return torch.cat(features, self.axis).mean((2, 3))


def sizes(model: nn.Module) -> list[int]:
    """How many values each concatenation joins after nesting, outputs and terms having been compared."""
    model = model.double().eval()
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    exposed = expose(capture(model, x))
    nested = run_program_passes(exposed, [nest_concatenations])
    before, after = (differentiate(program, [x], [lambda y: y[:, 1]])[0] for program in (exposed, nested))
    torch.testing.assert_close(after.output, before.output, rtol=0, atol=0)
    torch.testing.assert_close(contributions(after), contributions(before))
    torch.testing.assert_close(after.input_gradients, before.input_gradients)
    return [
        len(node.args[0]) for node in nested.graph_module.graph.find_nodes(op="call_function", target=aten.cat.default)
    ]  # type: ignore[arg-type]


@pytest.mark.parametrize("axis", [1, -3, 2, -1])
def test_those_that_begin_alike_are_nested(axis: int) -> None:
    assert max(sizes(Dense(axis))) == 2


def test_those_that_end_alike_stay() -> None:
    assert sizes(Dense(1, backwards=True))[-4:] == [2, 3, 4, 5]


def test_one_along_another_axis_is_no_beginning() -> None:
    class Crossed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x.sin()
            wide = torch.cat([x, y], 3).mean(3)
            return torch.cat([x, y, x], 2).mean((2, 3)) + wide.mean(2)

    assert sorted(sizes(Crossed())) == [2, 3]


def test_one_with_a_constant_which_has_a_bias_of_its_own_is_no_beginning() -> None:
    class Coordinates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("places", torch.arange(30.0).reshape(1, 1, 5, 6))

        def forward(self, x: Tensor) -> Tensor:
            places, y = self.places.expand(x.shape[0], 1, 5, 6), x.sin()
            first = torch.cat([places, x], 1)
            return torch.cat([places, x, first.cos() * first, y], 1).mean((2, 3))

    assert sorted(sizes(Coordinates())) == [2, 4]
