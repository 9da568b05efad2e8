"""Tokens removed by what a method says: areas of values that are known, and the command on a few samples."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.evidence.tokens import __main__ as command
from benchmarks.evidence.tokens.methods import METHODS
from benchmarks.evidence.tokens.removal import removal_areas
from benchmarks.evidence.tokens.subjects import Subject, some, vision_transformer
from tests.support.sweeps import quick


class FirstToken(nn.Module):
    """The class rests on the first of ten tokens alone."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([20 * x[:, 0] - 10, torch.zeros(len(x))], 1)


def of_first_token(present: Tensor) -> Subject:
    return Subject(
        "first",
        "the first token",
        FirstToken(),
        (torch.ones(present.shape),),
        present,
        lambda inputs, removed: (inputs[0].masked_fill(removed, 0.0),),
        lambda values: values,
        lambda inputs: (inputs[0], torch.zeros_like(inputs[0]), FirstToken()),
        lambda weights: weights[:, 0],
    )


def test_areas_where_one_token_decides() -> None:
    values = torch.zeros(1, 10)
    values[0, 0] = 1.0
    areas = removal_areas(of_first_token(torch.ones(1, 10, dtype=torch.bool)), values)
    np.testing.assert_allclose([areas.most_first, areas.least_first], [[0.0], [0.9]], atol=1e-3)
    np.testing.assert_allclose(areas.gap, [0.9], atol=1e-3)


def test_tokens_that_are_not_there_have_no_turn() -> None:
    """Of four tokens the last step alone takes the most important one, whatever values the others have."""
    present = torch.arange(10)[None] < 4
    values = torch.tensor([[1.0, 0, 0, 0, 5, 5, 5, -5, -5, -5]])
    areas = removal_areas(of_first_token(present), values)
    # In ten steps of four tokens none goes first, and the last goes in the ninth.
    np.testing.assert_allclose(areas.most_first, [0.1], atol=1e-3)
    np.testing.assert_allclose(areas.least_first, [0.8], atol=1e-3)


@pytest.mark.filterwarnings("ignore::fgcompile.RulesWarning")
@pytest.mark.parametrize("method", quick(METHODS, "libragrad-signed"))
@pytest.mark.slow
def test_a_method_gives_each_token_a_number(method: str) -> None:
    subject = vision_transformer()
    few = dataclasses.replace(subject, inputs=some(subject.inputs, slice(3)), present=subject.present[:3])
    values = METHODS[method][1](few)
    assert values.shape == (3, 64)
    assert values.isfinite().all()


def test_leave_one_out_is_the_fall_of_the_logit() -> None:
    values = METHODS["leave-one-out"][1](of_first_token(torch.ones(2, 10, dtype=torch.bool)))
    torch.testing.assert_close(values, torch.eye(10)[:1].expand(2, 10) * 20)


def test_the_command_keeps_what_it_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(command, "SUBJECTS", {"first": lambda: of_first_token(torch.ones(4, 10, dtype=torch.bool))})
    arguments = ["--subjects", "first", "--methods", "random", "leave-one-out", "--results", str(tmp_path)]
    assert command.main(arguments) == 0
    lines = (tmp_path / "tokens.jsonl").read_text().splitlines()
    assert [json.loads(line)["method"] for line in lines] == ["random", "leave-one-out"]
    assert command.main(arguments) == 0
    assert (tmp_path / "tokens.jsonl").read_text().splitlines() == lines
    assert "| leave one out | 0.900 (0.900 to 0.900) |" in (tmp_path / "tokens.md").read_text()
