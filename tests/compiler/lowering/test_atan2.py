"""The angle of a point on an axis, which ONNX's exporter mistakes, is PyTorch's."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import fgcompile


class Angles(nn.Module):
    """The angles of points, between two layers that leave them as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.atan2(x[:, 0], x[:, 1]) * 1.0


def test_angles_of_all_quadrants_and_axes() -> None:
    values = torch.tensor([-2.0, -1e-20, 0.0, 1e-20, 3.0])
    points = torch.cartesian_prod(values, values).T[None]
    artifact = fgcompile.compile(Angles().eval(), torch.randn(2, 2, 25))
    explanation = artifact.session().explain(points, 0)
    torch.testing.assert_close(explanation.logits, Angles()(points))
