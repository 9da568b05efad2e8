"""Magnitudes of halves are reduced as halves: nothing of a feature's size is widened, and the numbers are the same."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, fx, nn
from torch.fx.traceback import preserve_node_meta

from fgcompile.compiler.ir.annotations import aggregation, is_aggregation
from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.passes.optimize.optimize import optimize
from fgcompile.compiler.passes.precision.in_precision import in_precision
from fgcompile.compiler.passes.precision.late_scales import late_scales
from fgcompile.compiler.passes.precision.lower_precision import lower_precision
from fgcompile.compiler.passes.precision.narrow_joins import narrow_joins
from fgcompile.compiler.pipeline import fuse
from tests.compiler.passes.texts import operators, run_alone, traced

aten = torch.ops.aten
SCALE = 2.0**-8
WEIGHTS = torch.tensor([[[3e4, 0.0, 2.0, 5e4]]])


def _magnitudes(x: Tensor, matrix: Tensor) -> Tensor:
    """ψ of ``δ (N, 4, 5)``, a product of the network: extremes and sum of ``s |δ|`` side by side."""
    gradient = torch.bmm(x, matrix)
    with aggregation():
        magnitude = (gradient * SCALE).abs()
        largest, least = (extreme(2).unsqueeze(1) for extreme in (magnitude.amax, magnitude.amin))
        return torch.cat([largest, least, torch.matmul(WEIGHTS, magnitude)], 2)


def _inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 3, generator=generator), torch.randn(2, 3, 5, generator=generator) * 50


def _traced() -> fx.GraphModule:
    with preserve_node_meta():
        graph_module = traced(_magnitudes, *_inputs())
    optimize(graph_module)
    return graph_module


def test_a_scale_stands_behind_what_it_commutes_with() -> None:
    graph_module, expected = _traced(), _magnitudes(*_inputs())
    assert operators(graph_module)[:3] == ["bmm", "mul", "abs"]
    assert run_alone(late_scales, graph_module)
    assert operators(graph_module)[:2] == ["bmm", "abs"]
    for scaled in graph_module.graph.find_nodes(op="call_function", target=aten.mul.Tensor):
        assert scaled.meta["val"].numel() <= expected.numel()
    torch.testing.assert_close(graph_module(*_inputs()), expected, rtol=1e-6, atol=0)


def test_a_scale_of_two_terms_that_are_multiplied_stays() -> None:
    def squares(x: Tensor) -> Tensor:
        with aggregation():
            scaled = x * SCALE
            return scaled * scaled

    with preserve_node_meta():
        graph_module = traced(squares, torch.ones(2, 3))
    assert not run_alone(late_scales, graph_module)


@pytest.mark.parametrize(("half", "tolerance"), [(torch.float16, 2.0**-9), (torch.bfloat16, 2.0**-6)])
def test_magnitudes_of_halves_are_reduced_as_halves(half: torch.dtype, tolerance: float) -> None:
    graph_module, expected = _traced(), _magnitudes(*_inputs())
    run_passes(graph_module, [late_scales, lower_precision(half), narrow_joins], ("convert_floats",))
    for node in graph_module.graph.nodes:
        if is_aggregation(node) and node.meta["val"].numel() > expected.numel():
            assert node.meta["val"].dtype == half, node
    assert operators(graph_module).count("_to_copy") == 3, "two factors of the network, and what is joined"
    # Σ w |δ| of weights near the largest half: of shares none of it is beyond.
    found = graph_module(*_inputs())
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance * float(expected[..., :8].max()))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_a_network_of_halves_has_no_wide_magnitude_but_the_input_s(device: str) -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.Flatten()]
    model = nn.Sequential(*layers, nn.LazyLinear(4)).eval()
    x = torch.randn(2, 3, 14, 14)
    model(x)
    program = in_precision(fuse(model, x, precision="float16", device=device), "float16")
    nodes = program.graph_module.graph.nodes
    magnitudes = [node.meta["val"] for node in nodes if node.target is aten.abs.default]
    assert {value.dtype for value in magnitudes if value.shape[1] == 8} == {torch.float16}
    assert {value.dtype for value in magnitudes if value.shape[1] == 3} == {torch.float32}
