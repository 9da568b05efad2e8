"""What was read is held to ONNX Runtime on the file: as closely as rounding lets the file's own results be known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from fgcompile.compiler.capture.onnx.operators import OPERATORS
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.compiler.capture.onnx.rounding import moved_by_rounding
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import open_model
from fgcompile.errors import CaptureWarning, VerificationError
from tests.compiler.capture.onnx.files import graph, model, node, random

FEATURES = 256
VARIANCE = [
    node("Add", "x far", "a"),
    node("ReduceMean", "a", "mean", axes=[1]),
    node("Mul", "a a", "squares"),
    node("ReduceMean", "squares", "power", axes=[1]),
    node("Mul", "mean mean", "square"),
    node("Sub", "power square", "y"),
]
"""``E[a²] − E[a]²``, of numbers that are far from zero."""


def variance(path: Path, far: float) -> Path:
    described = graph(VARIANCE, {"x": ("float32", ["n", FEATURES])}, ["y"], {"far": np.float32(far)})
    onnx.save(model(described, opset=17), path)
    return path


def test_rounding_moves_differences_of_nearly_equal_numbers_by_what_their_exact_value_is_off(tmp_path: Path) -> None:
    x = torch.randn(2, FEATURES, generator=torch.Generator().manual_seed(1))
    exact = x.double().var(1, correction=0, keepdim=True)
    for far in (0.0, 100.0):
        read = read_onnx(variance(tmp_path / "model.onnx", far))
        with torch.no_grad():
            off = float(((read(x) - exact).abs() / exact.amax()).amax())
        moved = moved_by_rounding(read, {"x": x}, "y")
        assert off / 4 < moved < 1e3 * torch.finfo(torch.float32).eps * max(1.0, far**2)


@pytest.mark.parametrize("far", [0.0, 100.0])
def test_a_row_that_computes_something_else_is_found(
    far: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = variance(tmp_path / "model.onnx", far)
    monkeypatch.setitem(OPERATORS, ("", "ReduceMean"), Operator(_halves, numbers=("axes",)))
    with pytest.raises(VerificationError, match="beginning with ReduceMean 'ReduceMean_mean': fgcompile reads"):
        open_model(path, None, Request())


def test_what_rounding_moves_as_far_is_said_and_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = variance(tmp_path / "model.onnx", 100.0)
    monkeypatch.setitem(OPERATORS, ("", "ReduceMean"), Operator(_backwards, numbers=("axes",)))
    with pytest.warns(CaptureWarning, match="'y' of .*: rounding moves it by .*fgcompile verify"):
        open_model(path, None, Request())


def test_files_of_one_sample_whose_results_have_time_in_front_are_compared(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("Transpose", "a", "y", perm=[1, 0, 2])]
    described = graph(nodes, {"x": ("float32", [1, 5, 3])}, ["y"], {"w": random(3, 4)})
    onnx.save(model(described), tmp_path / "model.onnx")
    opened = open_model(tmp_path / "model.onnx", None, Request())
    with torch.no_grad():
        assert opened.model(torch.randn(3, 5, 3)).shape == (5, 3, 4)  # type: ignore[operator]  # an OnnxModel


def _halves(x: torch.Tensor, axes: list[int] | None = None, *, keepdims: int = 1) -> torch.Tensor:
    return x.mean(axes, keepdim=True) / 2


def _backwards(x: torch.Tensor, axes: list[int] | None = None, *, keepdims: int = 1) -> torch.Tensor:
    """The mean, summed one after the other."""
    return x.flip(1).cumsum(1)[:, -1:] / x.shape[1]
