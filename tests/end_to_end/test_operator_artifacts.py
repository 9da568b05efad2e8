"""Every operator of the table, compiled: the artifact equals the fused graph in each runtime, with a dynamic batch."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from tests.support.networks import CaseModule
from tests.support.operator_cases import OPERATOR_CASES, OperatorCase
from tests.support.sweeps import crossed, few

SUFFIXES = {"onnx": ".onnx", "torchscript": ".pt"}
FAST = ("conv2d k3 s2 p1", "max_pool2d k3 s2 p1", "avg_pool3d k2", "gelu", "interpolate bilinear 4×5 to (9, 7)")
"""A few cases of different families, for the fast run."""


class Scored(nn.Module):
    """A case in front of fixed weights, so that its output becomes three class logits that depend on all of it."""

    def __init__(self, case: OperatorCase) -> None:
        super().__init__()
        self.case = CaseModule(case).float()
        with torch.no_grad():
            features = self.case(*case.make_inputs(2, torch.float32))[0].numel()
        self.head = nn.Linear(features, 3)

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.head(self.case(*inputs).unsqueeze(-1).flatten(1))


def _parameters() -> list[object]:
    """The fast cases each time, in one format each, taken in turn; the others with the slow tests."""
    fast = [case for case in OPERATOR_CASES if case.name.startswith(FAST)]
    others = [case for case in OPERATOR_CASES if case not in fast]
    return crossed(fast, SUFFIXES) + [pytest.param(*pair, marks=pytest.mark.slow) for pair in product(others, SUFFIXES)]


@pytest.mark.parametrize(("case", "format"), few(_parameters(), 5), ids=lambda value: getattr(value, "name", value))
def test_artifact_equals_the_eager_full_gradient(case: OperatorCase, format: str, tmp_path: Path) -> None:
    model = Scored(case).eval()
    path = tmp_path / f"model{SUFFIXES[format]}"
    floating = any(x.is_floating_point() for x in case.make_inputs(1))
    outputs = ("logits", "contributions", "residual", *(("input_gradient",) if floating else ()))
    fgcompile.compile(model, case.make_inputs(1, torch.float32), format=format, outputs=outputs).save(path)
    session = fgcompile.load(path)
    for batch in (1, 4):
        inputs = case.make_inputs(batch, torch.float32, seed=batch)
        names = [spec["name"] for spec in session.metadata["inputs"] if spec["name"] != "target"]
        values = session.run(
            dict(zip(names, (value.numpy() for value in inputs), strict=True))
            | {"target": np.full(batch, 1, dtype=np.int64)}
        )
        terms = fgcompile.full_gradient(model, inputs, target=1)
        scale = float(np.abs(values["contributions"]).sum(1).max())
        np.testing.assert_allclose(values["logits"], terms.output, rtol=1e-4, atol=1e-4)
        assert np.abs(values["residual"]).max() <= 1e-4 * scale
        gradients = terms.input_gradient if isinstance(terms.input_gradient, tuple) else (terms.input_gradient,)
        returned = [value for name, value in values.items() if name.startswith("input_gradient")]
        for actual, expected in zip(returned, gradients, strict=True):
            assert np.abs(actual - expected.numpy()).max() <= 1e-4 * max(1.0, float(expected.abs().max()))
