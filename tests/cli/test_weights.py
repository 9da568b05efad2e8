"""Checkpoints of wrapped models, as training loops write them."""

from __future__ import annotations

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from fgcompile.cli.weights import load_weights
from fgcompile.errors import SourceError, WeightsWarning


def build() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.Sequential(nn.ReLU(), nn.Linear(4, 2)))


def compiled_part(model: nn.Module) -> nn.Module:
    model[1] = torch.compile(model[1])  # type: ignore[index]  # a sequence
    return model


@pytest.mark.parametrize(
    ("wrapped", "prefixes"),
    [
        (nn.DataParallel, "'module.'"),
        (torch.compile, "'_orig_mod.'"),
        (lambda model: nn.DataParallel(torch.compile(model)), "'module.' and '_orig_mod.'"),
        (compiled_part, "'_orig_mod.'"),
    ],
)
def test_prefixes_of_wrappers_are_left_out_and_said(wrapped: type, prefixes: str, tmp_path: Path) -> None:
    trained, model = build(), build()
    expected = trained(torch.ones(1, 3))
    torch.save(wrapped(trained).state_dict(), tmp_path / "weights.pt")
    with pytest.warns(WeightsWarning, match=f"the keys have {prefixes}, which wrappers put there"):
        load_weights(model, tmp_path / "weights.pt")
    torch.testing.assert_close(model(torch.ones(1, 3)), expected)


def test_a_model_that_has_such_names_itself_keeps_them(tmp_path: Path) -> None:
    model = nn.ModuleDict({"module": nn.Linear(2, 2)})
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_weights(nn.ModuleDict({"module": nn.Linear(2, 2)}), tmp_path / "weights.pt")


def test_keys_that_fit_in_no_way_are_named_as_they_are(tmp_path: Path) -> None:
    torch.save({"module.else": torch.zeros(2)}, tmp_path / "weights.pt")
    with pytest.raises(SourceError, match=r"1 unexpected: module\.else"):
        load_weights(build(), tmp_path / "weights.pt")
