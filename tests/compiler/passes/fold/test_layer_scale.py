"""Folding a scale per channel keeps outputs, gradients and terms."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.fullgrad.aggregation import contributions
from fgcompile.compiler.fullgrad.differentiate import differentiate
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.ir.runner import run_program_passes
from fgcompile.compiler.passes.fold.layer_scale import fold_layer_scale

aten = torch.ops.aten


class Scaled(nn.Module):
    """A layer whose output is scaled in one of the ways that people write."""

    def __init__(self, how: str, bias: bool = True) -> None:
        super().__init__()
        self.how = how
        self.conv = nn.Conv2d(3, 6, 3, bias=bias) if how != "transposed" else nn.ConvTranspose2d(3, 6, 3, bias=bias)
        self.linear = nn.Linear(6, 6, bias=bias)
        shape = {"channels first": (6, 1, 1), "convolution": (1, 6, 1, 1), "transposed": (6, 1, 1), "number": ()}
        self.scale = nn.Parameter(torch.randn(shape.get(how, (6,))))  # the width is 6 too

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        if self.how in ("convolution", "transposed"):
            return torch.relu(y * self.scale).mean((2, 3))
        z = self.linear(y.permute(0, 2, 3, 1))
        if self.how == "channels first":
            z = self.scale * z.permute(0, 3, 1, 2)
        elif self.how == "over width":
            z = z.permute(0, 3, 1, 2) * self.scale
        elif self.how == "read twice":
            z = z * self.scale + z
        elif self.how == "weight read twice":
            z = self.linear(z * self.scale)
        else:
            z = z * self.scale
        return torch.relu(z).mean((2, 3) if self.how in ("channels first", "over width") else (1, 2))


FOLDED = ("channels last", "channels first", "convolution", "transposed", "number")
KEPT = ("over width", "read twice", "weight read twice")


def exposed(how: str, bias: bool = True) -> tuple[BiasedProgram, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    return expose(capture(Scaled(how, bias).eval().double(), x)), x


def scalings(program: BiasedProgram) -> list[fx.Node]:
    return list(program.graph_module.graph.find_nodes(op="call_function", target=aten.mul.Tensor))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("how", FOLDED + KEPT)
def test_terms_stay_what_they_are(how: str, bias: bool) -> None:
    program, x = exposed(how, bias)
    folded = run_program_passes(program, [fold_layer_scale])
    assert len(scalings(program)) == 1
    assert len(scalings(folded)) == (how in KEPT)
    before, after = (differentiate(one, [x], [lambda y: y[:, 1]])[0] for one in (program, folded))
    torch.testing.assert_close(after.output, before.output, rtol=1e-12, atol=1e-12)
    for one, other in zip(after.input_gradients.values(), before.input_gradients.values(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-12)
    names = [[term.name for value in result.sites for term in value.terms] for result in (before, after)]
    assert names[0] == names[1]
    torch.testing.assert_close(contributions(after), contributions(before), rtol=1e-10, atol=1e-12)
