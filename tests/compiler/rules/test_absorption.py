"""The warning under the rules taylor: for normalisations by the input's own statistics, and for nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from tests.support.networks import ConvNet, randomised


class Normalised(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function, self.head = function, nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(x).mean((2, 3)))


ABSORBING: dict[str, Callable[[Tensor], Tensor]] = {
    "layer_norm": lambda x: F.layer_norm(x, (4,)),
    "group_norm": lambda x: F.group_norm(x, 2),
    "instance_norm": F.instance_norm,
    "rms_norm": lambda x: F.rms_norm(x, (4,)),
    "rsqrt of a sum": lambda x: x * torch.rsqrt((x * x).sum(1, keepdim=True) + 1e-6),
    "inverse power": lambda x: x * torch.pow(x.pow(2).mean(1, keepdim=True) + 1e-6, -0.5),
    "normalize": F.normalize,
    "root of a variance": lambda x: (x - x.mean(1, keepdim=True)) / (x.var(1, keepdim=True) + 1e-5).sqrt(),
}
HARMLESS: dict[str, Callable[[Tensor], Tensor]] = {
    "softsign": F.softsign,
    "softmax": lambda x: x.softmax(1),
    "detached": lambda x: x / x.detach().norm(dim=1, keepdim=True),
    "not on the path": lambda x: x + F.layer_norm(x, (4,)).detach(),
}


def compute(model: nn.Module, rules: str) -> list[warnings.WarningMessage]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fgcompile.full_gradient(model, torch.randn(2, 6, 4, 4), target=0, rules=rules)
    return [warning for warning in caught if issubclass(warning.category, fgcompile.RulesWarning)]


@pytest.mark.parametrize("name", ABSORBING)
def test_taylor_warns_once(name: str) -> None:
    model = Normalised(ABSORBING[name]).eval()
    (warning,) = compute(model, "taylor")
    assert "rules='libragrad'" in str(warning.message)
    assert warning.filename == __file__
    assert not compute(model, "libragrad")


@pytest.mark.parametrize("name", HARMLESS)
def test_other_networks_do_not_warn(name: str) -> None:
    assert not compute(Normalised(HARMLESS[name]).eval(), "taylor")


def test_batch_norm_does_not_warn() -> None:
    assert not compute(randomised(nn.Sequential(nn.Conv2d(6, 3, 1), ConvNet())), "taylor")


def test_compile_names_the_first_layer_and_counts_the_others() -> None:
    model = nn.Sequential(nn.GroupNorm(2, 6), nn.ReLU(), nn.GroupNorm(3, 6), nn.Flatten(), nn.Linear(96, 3)).eval()
    with pytest.warns(fgcompile.RulesWarning, match=r"\('0' and 1 more\)") as caught:
        fgcompile.compile(model, torch.randn(2, 6, 4, 4))
    assert [warning.filename for warning in caught if warning.category is fgcompile.RulesWarning] == [__file__]
