"""Half precision: the network computes in it, the aggregation in float32, and what it costs is bounded."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.fullgrad.gradient_scale import LARGEST, choose_gradient_scale
from fgcompile.compiler.pipeline import fuse
from fgcompile.compiler.request import Request
from fgcompile.errors import InputError
from tests.support.networks import build
from tests.support.sweeps import few

OUTPUTS = ("logits", "saliency", "contributions", "residual")
CASES = {
    "onnx-float16": ("onnx", "float16"),
    "torchscript-float16": ("torchscript", "float16"),
    "torchscript-bfloat16": ("torchscript", "bfloat16"),
}
TOLERANCE = {"float16": 2.0**-10, "bfloat16": 2.0**-7}
"""The spacing of numbers at 1."""


def compiled(model: nn.Module, x: torch.Tensor, folder: Path, format: str, precision: str) -> fgcompile.Session:
    path = folder / f"{precision}{'.onnx' if format == 'onnx' else '.pt'}"
    fgcompile.compile(model, x, format=format, precision=precision, outputs=OUTPUTS).save(path)
    return fgcompile.load(path, threads=1)


@pytest.mark.parametrize(("case", "name"), few(product(CASES, ["residual", "batch norms"]), 1))
def test_outputs_are_those_of_float32_but_for_rounding(case: str, name: str, tmp_path: Path) -> None:
    format, precision = CASES[case]
    model, x = build(name, torch.float32)
    half, single = (compiled(model, x, tmp_path, format, kind).explain(x.numpy()) for kind in (precision, "float32"))
    for value, expected in ((half.logits, single.logits), (half.contributions, single.contributions)):
        assert value.dtype == np.float32
        assert np.median(np.abs(value - expected)) <= 20 * TOLERANCE[precision] * np.abs(expected).max()
        assert not np.array_equal(value, expected)
    completeness = np.abs(half.residual) / np.abs(half.contributions).sum(1)
    assert completeness.max() <= 20 * TOLERANCE[precision]


def test_products_are_in_half_precision_and_what_is_made_of_a_mean_s_gradient_is_not() -> None:
    model, x = build("residual", torch.float32)
    graph = onnx.load_from_string(fgcompile.compile(model, x, precision="float16").content).graph
    graph_types = {
        value.name: value.type.tensor_type.elem_type
        for value in onnx.shape_inference.infer_shapes(
            onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 20)])
        ).graph.value_info
    }
    types = {node.op_type: set() for node in graph.node}
    for node in graph.node:
        types[node.op_type] |= {graph_types[name] for name in node.output if name in graph_types}
    assert types["Conv"] == {onnx.TensorProto.FLOAT16}
    assert types["ReduceMax"] == {onnx.TensorProto.FLOAT}
    assert {value.type.tensor_type.elem_type for value in graph.output} == {onnx.TensorProto.FLOAT}


def test_small_gradients_survive_float16(tmp_path: Path) -> None:
    """Behind a mean over 96² places gradients are about 1e-7, where float16 has two or three numbers left."""

    class Wide(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 3)
            nn.init.normal_(self.head.weight, std=0.002)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(self.conv(x).relu().mean((2, 3)))

    torch.manual_seed(0)
    model, x = Wide().eval(), torch.randn(2, 3, 98, 98)
    half, single = (compiled(model, x, tmp_path, "onnx", kind).explain(x.numpy()) for kind in ("float16", "float32"))
    expected = single.contributions
    assert np.abs(half.contributions - expected).max() <= 1e-2 * np.abs(expected).max()
    assert np.corrcoef(half.saliency.ravel(), single.saliency.ravel())[0, 1] > 0.99


def test_the_scale_brings_the_largest_gradient_into_range() -> None:
    model, x = build("residual")
    exposed = fgcompile.expose_biases(model, x)
    scale = choose_gradient_scale(exposed, Request(), [x])
    terms = fgcompile.full_gradient(model, x)
    assert np.log2(scale) == int(np.log2(scale))
    assert terms.input_gradient.abs().max() * scale <= LARGEST


def test_bfloat16_is_refused_for_onnx() -> None:
    with pytest.raises(InputError, match="bfloat16"):
        fgcompile.compile(nn.Linear(2, 2).eval(), torch.randn(1, 2), precision="bfloat16")


def test_the_scale_leaves_float64_exact() -> None:
    model, x = build("residual")
    exact, scaled = (fuse(model, x, outputs=OUTPUTS, precision=kind) for kind in ("float32", "float16"))
    for a, b in zip(
        exact.graph_module(x, torch.tensor([0] * len(x))),
        scaled.graph_module(x, torch.tensor([0] * len(x))),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", few(CASES, 1))
def test_what_was_compiled_verifies_on_other_inputs(case: str, tmp_path: Path) -> None:
    format, precision = CASES[case]
    model, x = build("residual", torch.float32)
    path = tmp_path / f"model{'.onnx' if format == 'onnx' else '.pt'}"
    fgcompile.compile(model, x, format=format, precision=precision, outputs=OUTPUTS).save(path)
    report = fgcompile.verify(path, model, torch.randn(4, *x.shape[1:]))
    assert report.passed, report
    with torch.no_grad():
        model.head.weight *= 1.5
    assert not fgcompile.verify(path, model, x).passed
