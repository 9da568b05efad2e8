"""Folding padding into convolutions keeps outputs and terms, and leaves what a convolution cannot express."""

# ruff: noqa: E501 - a node of the graph is one line of its text

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.aggregation import contributions
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.ir.runner import run_program_passes
from fgcompile.compiler.passes.fold.padding import fold_padding
from tests.compiler.passes.texts import assert_rewrites_program

aten = torch.ops.aten


class Padded(nn.Module):
    """A padding, and the convolution behind it."""

    def __init__(self, padding: tuple[int, ...], value: float = 0.0, transposed: bool = False) -> None:
        super().__init__()
        self.padding, self.value = padding, value
        self.conv = nn.ConvTranspose2d(3, 4, 3, padding=1) if transposed else nn.Conv2d(3, 4, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x.sin(), self.padding, value=self.value)).relu().mean((2, 3))


def remaining(model: nn.Module) -> int:
    """The number of paddings left after folding, outputs and terms having been compared."""
    model = model.double().eval()
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    exposed = expose(capture(model, x))
    folded = run_program_passes(exposed, [fold_padding])
    before, after = (differentiate(program, [x], [lambda y: y[:, 1]])[0] for program in (exposed, folded))
    torch.testing.assert_close(after.output, before.output)
    torch.testing.assert_close(contributions(after), contributions(before))
    return len(folded.graph_module.graph.find_nodes(op="call_function", target=aten.constant_pad_nd.default))


@pytest.mark.parametrize("padding", [(1, 1, 1, 1), (2, 2, 0, 0), (1, 1)])
def test_equal_ends_are_folded(padding: tuple[int, ...]) -> None:
    assert remaining(Padded(padding)) == 0


@pytest.mark.parametrize(
    "model", [Padded((0, 1, 0, 1)), Padded((-1, -1)), Padded((1, 1), value=0.5), Padded((1, 1, 1, 1), transposed=True)]
)
def test_the_rest_stays(model: nn.Module) -> None:
    assert remaining(model) == 1


def test_a_padding_that_something_else_reads_stays() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            padded = F.pad(x.sin(), (1, 1, 1, 1))
            return self.conv(padded).mean((2, 3)) + padded.mean((1, 2, 3))[:, None]

    assert remaining(Twice()) == 1


def test_before_and_after() -> None:
    model = nn.Sequential(nn.ZeroPad1d(2), nn.Conv1d(3, 4, 3, padding=1)).eval()
    before = """
        constant_1_weight: float32[4, 3, 3] = constant constant_1_weight
        input_1: float32[s0, 3, 4]
        bias_1_bias: float32[4]
        constant_pad_nd: float32[s0, 3, 8] = aten.constant_pad_nd.default(input_1, [2, 2], 0.0)  # 0
        convolution_default: float32[s0, 4, 8] = aten.convolution.default(constant_pad_nd, constant_1_weight, bias_1_bias, [1], [1], [1], False, [0], 1)  # 1
        return (convolution_default,)
        """
    after = """
        constant_1_weight: float32[4, 3, 3] = constant constant_1_weight
        input_1: float32[s0, 3, 4]
        bias_1_bias: float32[4]
        convolution_default: float32[s0, 4, 8] = aten.convolution.default(input_1, constant_1_weight, bias_1_bias, [1], [3], [1], False, [0], 1)  # 1
        return (convolution_default,)
        """
    assert_rewrites_program(fold_padding, expose(capture(model, torch.randn(2, 3, 4))), before, after)
