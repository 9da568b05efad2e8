"""Parts of axes of dynamic size are read and written right at other sizes than the example's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from tests.support.indexing_forms import ALL, Form, write
from tests.support.sweeps import few

CASES: dict[str, Form] = {
    "differences": lambda y: y[..., 1:] - y[..., :-1],
    "steps": lambda y: y[..., 1::3],
    "the last": lambda y: y * y[..., -1, None] + y[..., -3:].mean(2, keepdim=True),
    "steps written": write((ALL, ALL, slice(1, None, 2)), lambda y: y[..., 1::2].abs()),
    "extremes and where they are": lambda y: y * y.max(2)[0][..., None] - y.min(2, keepdim=True).values,
    "order": lambda y: y.sort(2, descending=True).values[..., 1:] * y.topk(2, 2).values.sum(2, keepdim=True),
    "standard deviations": lambda y: y / (y.std(2, keepdim=True) + 0.1) + y.var(2, keepdim=True),
    "rounded up": lambda y: y[..., : -(-y.shape[2] // 5)],
    "whole windows": lambda y: y * F.max_pool1d(y, y.shape[2]) + F.avg_pool1d(y.relu(), kernel_size=y.size(2)),
    "the last written": write((ALL, ALL, -1), lambda y: y[..., 0] * 2),
}


class Net(nn.Module):
    """Logits (N, 3) of a signal (N, 2, L)."""

    def __init__(self, form: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.first, self.last, self.form = nn.Conv1d(2, 4, 3, padding=1), nn.Linear(4, 3), form

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.form(self.first(x)).tanh().mean(-1))


@pytest.mark.parametrize("name", few(CASES, 2))
def test_the_gradient_is_autograds_at_any_length(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, outputs = Net(CASES[name]).eval(), ("logits", "saliency", "input_gradient")
    artifact = fgcompile.compile(model, torch.randn(2, 2, 12), outputs=outputs, dynamic_sizes=True, rules="taylor")
    artifact.save(tmp_path / "a.onnx")
    session = fgcompile.load(tmp_path / "a.onnx")
    for batch, length in ((1, 12), (5, 9), (2, 17)):
        x = torch.randn(batch, 2, length, requires_grad=True)
        (expected,) = torch.autograd.grad(model(x).amax(1).sum(), x)
        found = session.explain(x.detach().numpy())
        torch.testing.assert_close(torch.as_tensor(found.input_gradient), expected, rtol=1e-4, atol=1e-6)
