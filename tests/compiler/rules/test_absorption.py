"""Normalisations by the input's own statistics, and nothing else: the warning under taylor, and what auto chooses."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from tests.support.networks import ConvNet, randomised
from tests.support.sweeps import few


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


@pytest.mark.parametrize("name", few(ABSORBING, 1))
def test_taylor_warns_once(name: str) -> None:
    model = Normalised(ABSORBING[name]).eval()
    (warning,) = compute(model, "taylor")
    assert "rules='libragrad' with psi='signed'" in str(warning.message)
    assert warning.filename == __file__
    assert not compute(model, "libragrad")
    assert not compute(model, "auto")


@pytest.mark.parametrize("name", HARMLESS)
def test_other_networks_do_not_warn(name: str) -> None:
    assert not compute(Normalised(HARMLESS[name]).eval(), "taylor")


def test_batch_norm_does_not_warn() -> None:
    assert not compute(randomised(nn.Sequential(nn.Conv2d(6, 3, 1), ConvNet())), "taylor")


def test_compile_names_the_first_layer_and_counts_the_others() -> None:
    model = nn.Sequential(nn.GroupNorm(2, 6), nn.ReLU(), nn.GroupNorm(3, 6), nn.Flatten(), nn.Linear(96, 3)).eval()
    with pytest.warns(fgcompile.RulesWarning, match=r"\('0' and 1 more\)") as caught:
        fgcompile.compile(model, torch.randn(2, 6, 4, 4), rules="taylor")
    assert [warning.filename for warning in caught if warning.category is fgcompile.RulesWarning] == [__file__]


Chosen = tuple[str, str]
AUTO: dict[str, tuple[bool, dict[str, str], Chosen]] = {
    "a model of the paper's": (False, {}, ("taylor", "fullgrad")),
    "one that normalises": (True, {}, ("libragrad", "signed")),
    "explicit rules": (True, {"rules": "attnlrp"}, ("attnlrp", "signed")),
    "the paper's rules, explicitly": (True, {"rules": "taylor"}, ("taylor", "fullgrad")),
    "an explicit psi": (True, {"psi": "fullgrad"}, ("libragrad", "fullgrad")),
    "rules for a model that does not need them": (False, {"rules": "libragrad"}, ("libragrad", "fullgrad")),
    "no biases to add up": (True, {"method": "simple_fullgrad"}, ("libragrad", "fullgrad")),
    "on average": (True, {"method": "smooth_fullgrad"}, ("libragrad", "signed")),
}
"""Whether the model normalises, what is asked for, and the rules and ψ that are chosen."""


@pytest.mark.filterwarnings("ignore::fgcompile.RulesWarning")
@pytest.mark.parametrize("name", few(AUTO, 4))
def test_auto_chooses_by_the_model_and_says_why(name: str) -> None:
    normalises, options, chosen = AUTO[name]
    model = Normalised(F.instance_norm if normalises else F.silu).eval()
    metadata = fgcompile.compile(model, torch.randn(2, 6, 4, 4), target=0, **options).metadata
    assert (metadata["rules"], metadata["psi"]) == chosen
    says = metadata.get("choice", "")
    assert says.startswith("the model normalises by the input's own statistics (") == (
        normalises and options.get("rules") != "taylor"
    )


def test_auto_looks_at_the_way_to_the_score_alone() -> None:
    """Of two outputs the explained one decides, and so does the function that explains them."""

    class Two(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Tensor]:
            return {"plain": x.mean((2, 3)), "normalised": F.instance_norm(x).abs().mean((2, 3))}

    x = torch.randn(2, 6, 4, 4)
    rules = [fgcompile.compile(Two().eval(), x, output=output).metadata["rules"] for output in ("plain", "normalised")]
    assert rules == ["taylor", "libragrad"]
    score = fgcompile.compile(Two().eval(), x, target=lambda outputs: outputs["plain"][:, 0])
    assert score.metadata["rules"] == "taylor"
