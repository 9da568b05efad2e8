"""The round trip on a tiny network, and what its report calls what came of others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from benchmarks.zoo.exporting import EXPORTERS, Flat
from benchmarks.zoo.reading_back import read_back, rounded_otherwise
from benchmarks.zoo.round_trip import DIFFERENT, FOLDED, ROUNDED, SAME, UNREAD, UNWRITTEN, outcome, render

CLOSE = {"batch": "any", "logits": 1e-7, "saliency": 1e-7, "input_gradient": 1e-7}
OTHER_MAP = {**CLOSE, "saliency": 0.5}


class Structured(nn.Module):
    """Returns a structure with something in it that is no tensor."""

    def forward(self, x: Tensor) -> dict[str, Any]:
        """Maps (N, F) to twice and three times that."""
        return {"twice": 2 * x, "name": "x", "rest": [3 * x]}


def test_tiny_network_comes_back_with_its_map() -> None:
    found = read_back("perceptron")
    assert {exporter: outcome(figures) for exporter, figures in found.items()} == dict.fromkeys(EXPORTERS, SAME)
    assert all(figures["batch"] == "any" for figures in found.values())


def test_structures_are_restored_from_names() -> None:
    x = torch.ones(1, 2)
    flat = Flat(Structured(), [x])
    twice, thrice = flat(x)
    restored = flat.restored({"output_0": twice, "output_1": thrice})
    assert restored["twice"] is twice
    assert restored["rest"][0] is thrice


def test_other_roundings_are_one_unit_in_the_last_place_away() -> None:
    layer = nn.Linear(100, 300)
    drawn = [rounded_otherwise(layer, seed).weight.detach().double() for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    moved = (drawn[0] - layer.weight.double()) / layer.weight.double()
    assert 0 < moved.abs().max() <= 2.0**-23
    assert (moved != 0).double().mean() == pytest.approx(1 / 3, abs=0.02)
    assert (moved > 0).double().mean() == pytest.approx(1 / 6, abs=0.02)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        (CLOSE, SAME),
        ({"logits": 0.0, "saliency": 0.0}, SAME),  # of tokens there is no input gradient
        ({**OTHER_MAP, "unfolded": CLOSE}, FOLDED),
        ({**OTHER_MAP, "unfolded": OTHER_MAP}, DIFFERENT),
        ({**OTHER_MAP, "rounding": {**CLOSE, "saliency": 0.3}}, ROUNDED),
        ({**OTHER_MAP, "rounding": {**CLOSE, "saliency": 0.2}}, DIFFERENT),
        ({**OTHER_MAP, "logits": 0.5, "rounding": {**CLOSE, "saliency": 0.3}}, DIFFERENT),
        ({**OTHER_MAP, "logits": 0.5, "unfolded": CLOSE}, DIFFERENT),
        ({**OTHER_MAP, "unfolded": {"stage": "export", "reason": "no"}}, DIFFERENT),
        ({"stage": "read", "reason": "no"}, UNREAD),
        ({"stage": "export", "reason": "no"}, UNWRITTEN),
    ],
)
def test_outcomes(figures: dict[str, Any], expected: str) -> None:
    assert outcome(figures) == expected


def test_report_counts_what_was_exported() -> None:
    facts = {"machine": "m", "versions": "v", "date": "d"}
    one = {**facts, "exporters": {"dynamo": CLOSE, "torchscript": {"stage": "export", "reason": "no a|b"}}}
    two = {**facts, "exporters": {"dynamo": {"stage": "read", "reason": "no"}, "torchscript": CLOSE}}
    report = render({"one": one, "two": two})
    assert "**dynamo**: 50% of 2 that are exported come back with the same map, 50% with those of folded" in report
    assert "(1 same map, 1 not read; 0 not exported)" in report
    assert "**torchscript**: 100% of 1 that are exported" in report
    assert "(1 same map; 1 not exported)" in report
    assert "no a\\|b" in report
