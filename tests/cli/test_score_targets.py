"""Scores by name on the command line: ``--target Region:15``."""

from __future__ import annotations

import inspect
import operator
from pathlib import Path
from typing import Any

import pytest

from fgcompile import scores
from fgcompile.cli.arguments import SCORES, parse_target, require_no_class
from fgcompile.errors import FgcompileError, InputError
from fgcompile.scores import Box, Contrast, LogOdds, Region, Similarity, Token, Value
from tests.cli.results import Run


def test_every_score_has_its_name() -> None:
    assert {name for name in SCORES if "." not in name} == set(scores.SCORES)
    for name, parameters in SCORES.items():  # which are checked before torch is imported
        signature = inspect.signature(operator.attrgetter(name)(scores))
        assert parameters == tuple(
            each.name if each.default is each.empty else f"{each.name}=" for each in signature.parameters.values()
        )


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ("Region:15", Region(15)),
        ("Region:15,rows=0/40,columns=10/20", Region(15, (0, 40), (10, 20))),
        ("Region:15,mask=true", Region(15, mask=True)),
        ("Token:3,42", Token(3, 42)),
        ("Token:none,-1", Token(None, -1)),
        ("Contrast", Contrast()),
        ("Contrast:7", Contrast(7)),
        ("Value:1/2/3", Value((1, 2, 3))),
        ("LogOdds:1,1e-3", LogOdds(1, 1e-3)),
        ("Similarity", Similarity()),
        ("Box:1,axis=2,first=4", Box(1, axis=2, first=4)),
        ("Box.yolov8:3,candidate=none", Box.yolov8(3, None)),
        ("Box.detr:3,17", Box.detr(3, 17)),
    ],
)
def test_a_score_by_name(text: str, score: Any) -> None:
    assert parse_target(text) == score


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Region", "Region takes index, rows="),
        ("Region:1,2,3,4,5", "Region takes index, rows="),
        ("Region:1,index=2", "Region takes index, rows="),
        ("Region:1,row=2", "Region takes index, rows="),
        ("Region:cat", "'cat' is no number"),
        ("Region:1.5", "Region has index=1.5: give a whole number"),
        ("Region:1,rows=true", "Region has rows=True"),
        ("Token:3,,4", "'' is no number"),
        ("region:1", "is no score .Difference, Contrast"),
        ("Box.yolov9:1", "is no score .Difference, Contrast"),
    ],
)
def test_what_is_no_score_is_refused_with_those_that_are(text: str, message: str) -> None:
    with pytest.raises(FgcompileError, match=message) as raised:
        parse_target(text)
    assert "\n" not in str(raised.value)


@pytest.mark.whole
def test_files_are_no_targets_and_modules_called_as_scores_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("net.py", "Region.py", "Contrast.py", "3", "predicted"):
        Path(name).touch()
    assert (parse_target("3"), parse_target("predicted")) == (3, "predicted")
    assert (parse_target("Contrast"), parse_target("Region:15")) == (Contrast(), Region(15))
    for text, message in (
        ("net.py", "--target net.py is a file: name the function in it, net:NAME"),
        ("Region:best", "Region.py a module of yours: rename that, or put it into a package, package.Region:best"),
    ):
        with pytest.raises(FgcompileError, match=message):
            parse_target(text)


def test_a_word_is_the_name_of_a_class() -> None:
    assert (parse_target("cat"), parse_target("bald eagle")) == ("cat", "bald eagle")


def test_a_score_that_a_class_is_called_as_is_refused() -> None:
    ages = ["0-2", "3-9", "Value"]
    for text in ("0-3", "Difference:0,2", "Token:3,9"):
        require_no_class(text, ages)
        require_no_class(text, None)
    with pytest.raises(InputError, match="give --target 1 for the class, or --target Difference:3,9 for the score"):
        require_no_class("3-9", ages)
    with pytest.raises(InputError, match=r"class 2 is called so too: give --target 2 .* --target Value: for the score"):
        require_no_class("Value", ages)
    assert parse_target("Value:") == Value()


def test_a_score_is_given_again_to_verify(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = "import torch\n\n\ndef build():\n    return torch.nn.Conv2d(3, 4, 3)\n"
    (tmp_path / "segmenter_to_verify.py").write_text(model)
    source, score = "segmenter_to_verify:build", ("--target", "Region:2,mask=true")
    assert run("compile", source, "-o", "region.onnx", "--input", "3x6x7", *score).status == 0
    verified = run("verify", "region.onnx", "--source", source, *score)
    assert verified.status == 0, verified
    for wrong in ((), ("--target", "2")):
        refused = run("verify", "region.onnx", "--source", source, *wrong)
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert "was a function, which an artifact does not hold: give it again, target=" in refused.err
    assert run("verify", "region.onnx", "--source", source, "--target", "Region:1,mask=true").status == 1
