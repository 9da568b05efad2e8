"""A site whose samples are on no axis is refused before anything is differentiated, if it leads to the score."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler import fusing, pipeline
from fgcompile.errors import CaptureError


class Joined(nn.Module):
    """Two outputs, of which the first is computed among a constant row that is put behind the samples."""

    def __init__(self) -> None:
        super().__init__()
        self.row, self.first, self.second = nn.Parameter(torch.randn(1, 4)), nn.Linear(4, 3), nn.Linear(4, 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        joined = torch.cat([x, self.row.detach()]).tanh()
        return self.first(joined[:-1]), self.second(x) + joined[:-1].detach().mean(1, keepdim=True)


def test_it_is_refused_before_the_long_work(monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = Joined().eval(), torch.randn(2, 4)

    def never(*arguments: object) -> None:
        raise AssertionError("it was differentiated")

    monkeypatch.setattr(fusing, "trace", never)
    monkeypatch.setattr(pipeline, "full_gradient_terms", never)
    for explain in (fgcompile.compile, fgcompile.full_gradient):
        for target, output in ((None, 0), (lambda outputs: outputs[0][:, 1], None)):
            with pytest.raises(
                CaptureError, match=r"the samples of '.*', of shape \('batch \+ 1', 4\), are not along one"
            ):
                explain(model, x, target=target, output=output)


def test_what_does_not_lead_to_the_score_is_no_obstacle() -> None:
    model, x = Joined().eval(), torch.randn(2, 4)
    assert fgcompile.full_gradient(model, x, target=1, output=1).relative_completeness_error.max() < 1e-5
