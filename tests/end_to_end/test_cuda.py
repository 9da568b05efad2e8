"""Artifacts on a graphics card: the same results as the eager model, in every format and precision.

Skipped without one; where there is one, ``pytest tests/end_to_end/test_cuda.py`` is the whole check.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.runtime.session import Provider
from tests.end_to_end.test_precision import OUTPUTS, TOLERANCE
from tests.support.networks import build
from tests.support.sweeps import crossed

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a graphics card, and the build of PyTorch for CUDA"
)

CUDA = "CUDAExecutionProvider"
PROVIDERS: dict[str, Sequence[Provider] | None] = {"onnx": [CUDA], "torchscript": ["cuda"], "pt2": None}
SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt", "pt2": ".pt2"}
NETWORKS = ["residual", "shared layers", "in place", "batch norms", "signal", "volume"]
HALVES = [("onnx", "float16"), *((format, half) for format in ("torchscript", "pt2") for half in TOLERANCE)]


def compiled(folder: Path, model: nn.Module, x: torch.Tensor, format: str, **options: object) -> Path:
    if format == "onnx" and CUDA not in onnxruntime.get_available_providers():
        pytest.skip("needs onnxruntime-gpu: pip install 'fgcompile[gpu]'")
    path = folder / f"model{SUFFIXES[format]}"
    device = "cuda" if format == "pt2" else "cpu"
    fgcompile.compile(model, x, format=format, device=device, **options).save(path)
    return path


@pytest.mark.parametrize(("format", "name"), crossed(PROVIDERS, NETWORKS))
def test_results_are_the_eager_model_s(format: str, name: str, tmp_path: Path) -> None:
    model, x = build(name, torch.float32)
    path = compiled(tmp_path, model, x, format, outputs=OUTPUTS)
    report = fgcompile.verify(path, model, torch.cat([x, x + 1, 2 * x]), providers=PROVIDERS[format])
    assert report.passed, report


@pytest.mark.parametrize(("format", "precision"), HALVES)
def test_half_precision_is_float32_but_for_rounding(format: str, precision: str, tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    path = compiled(tmp_path, model, x, format, precision=precision, outputs=OUTPUTS)
    single = tmp_path / "single.onnx"
    fgcompile.compile(model, x, outputs=OUTPUTS).save(single)
    half = fgcompile.load(path, providers=PROVIDERS[format]).explain(x.numpy())
    expected = fgcompile.load(single, providers=["CPUExecutionProvider"]).explain(x.numpy())
    for value, reference in ((half.logits, expected.logits), (half.contributions, expected.contributions)):
        assert np.median(np.abs(value - reference)) <= 20 * TOLERANCE[precision] * np.abs(reference).max()
        assert not np.array_equal(value, reference)


@pytest.mark.parametrize("format", PROVIDERS)
def test_an_artifact_on_demand_returns_logits_alone_or_all(format: str, tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    session = fgcompile.load(compiled(tmp_path, model, x, format, on_demand=True), providers=PROVIDERS[format])
    explained = session.explain(x.numpy())
    np.testing.assert_allclose(session.predict(x.numpy()), explained.logits, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(explained.logits, model(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert explained.saliency.shape == (len(x), 1, *x.shape[2:])


@pytest.mark.parametrize("format", PROVIDERS)
def test_tf32_is_used_when_asked_for_alone(format: str, tmp_path: Path) -> None:
    """TF32 keeps 10 bits of a product's operands, float32 23."""
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("needs a graphics card with TF32, of compute capability 8.0 or more")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(32, 64, 3), nn.ReLU(), nn.Conv2d(64, 64, 3), nn.Flatten(), nn.LazyLinear(64))
    x = torch.randn(4, 32, 20, 20)
    expected = model(x).detach().double().numpy()
    path = compiled(tmp_path, model.eval(), x, format)
    name = CUDA if format == "onnx" else "cuda"
    torch.backends.cudnn.conv.fp32_precision = "tf32"  # what PyTorch does unless told otherwise
    errors = [
        np.abs(fgcompile.load(path, providers=[provider]).explain(x.numpy()).logits - expected).max()
        for provider in (name, (name, {"use_tf32": "1"}))
    ]
    assert errors[0] < 1e-5 * np.abs(expected).max() < 10 * errors[1]
