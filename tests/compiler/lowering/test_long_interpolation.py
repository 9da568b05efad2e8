"""Interpolation along long axes, by gathers: at the same small sizes as the matrices, and equal to autograd."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.lowering.long_interpolation import Positions
from fgcompile.runtime.session import open_session
from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, trace_backward
from tests.support.operator_cases import INTERPOLATIONS, OperatorCase
from tests.support.sweeps import few


def case(name: str, shape: tuple[int, ...], size: object = None, **arguments: object) -> OperatorCase:
    def function(x: Tensor) -> Tensor:
        return F.interpolate(x, size, **arguments)

    return OperatorCase(f"long: {name}", function, (shape,), family="interpolation")


CASES = [
    *(one for one in INTERPOLATIONS if "area" not in one.name),
    case("to one", (2, 7), 1, mode="linear"),
    case("of one", (2, 1), 6, mode="linear", align_corners=True),
    case("thinner", (2, 11), 4, mode="nearest"),
    case("a factor and a bit", (2, 9), scale_factor=1.3, mode="linear"),
    case("a factor and a bit less", (2, 9), scale_factor=0.7, mode="linear"),
    case("nearest by whole factors", (2, 5), scale_factor=3, mode="nearest"),
    case("antialias, to few", (2, 3, 23), (3, 2), mode="bilinear", antialias=True),
    case("antialias, corners", (2, 3, 13), (3, 5), mode="bilinear", antialias=True, align_corners=True),
    case("bicubic antialias, to few", (2, 3, 23), (5, 3), mode="bicubic", antialias=True),
    case("bicubic to one", (2, 3, 7), (1, 3), mode="bicubic"),
    case("bicubic of one", (2, 1, 2), (5, 9), mode="bicubic"),
]
EXPORTED = ("antialias, to few", "bicubic of one", "linear 5 to 8", "nearest-exact 5 to 8", "1.7", "whole factors")


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few(CASES, 10), ids=lambda one: one.name)
def test_gathered_windows_equal_autograd(one: OperatorCase) -> None:
    traced = trace_backward(one)
    assert torch.ops.aten.mm.default not in traced.operators
    assert not traced.specialised
    for batch in (1, 3):
        assert_backward_matches(one, one.make_inputs(batch, seed=batch))
    trace_backward.cache_clear()


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few((one for one in CASES if one.name.endswith(EXPORTED)), 3), ids=lambda one: one.name)
def test_exports_to_onnx(one: OperatorCase) -> None:
    assert_exports(one)
    trace_backward.cache_clear()


@pytest.mark.parametrize("align_corners", [False, True])
def test_positions_along_a_long_axis_are_those_of_float64(align_corners: bool) -> None:
    """Computed in float32, as a Resize does and PyTorch too, they are off by 1e-3 at the far end."""

    class Thinned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.head = nn.Linear(1, 2)

        def forward(self, x: Tensor) -> Tensor:
            y = F.interpolate(x, 15_000, mode="linear", align_corners=align_corners)
            return self.head((y * y).mean(-1))

    torch.manual_seed(0)
    model, x = Thinned().eval(), torch.randn(2, 1, 40_000)
    artifact = fgcompile.compile(model, x, target=0, outputs=("logits", "input_gradient"))
    session = open_session(artifact.content, artifact.metadata, "the artifact")
    measured = torch.as_tensor(session.explain(x.numpy()).input_gradient)
    exact = x.double().requires_grad_()
    (expected,) = torch.autograd.grad(model.double()(exact)[:, 0].sum(), exact)
    assert (measured - expected).abs().max() <= 1e-6 * expected.abs().max()


@pytest.mark.parametrize(("factor", "exact"), [(2, True), (0.5, True), (4, True), (3, False), (2.5, False)])
def test_positions_of_powers_of_two_are_exact(factor: float, exact: bool) -> None:
    size = 3000
    image = torch.arange(size, dtype=torch.float64).reshape(1, 1, 1, -1)
    positions = F.interpolate(image, (1, int(size * factor)), mode="bilinear").flatten()
    assert Positions(positions, size).is_exact == exact
