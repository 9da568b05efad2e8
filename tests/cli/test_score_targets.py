"""Scores by name on the command line: ``--target Region:15``."""

from __future__ import annotations

import inspect
import json
import operator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fgcompile
from fgcompile import scores
from fgcompile.cli import terminal
from fgcompile.cli.arguments import SCORES, parse_target, require_no_class
from fgcompile.cli.score_names import CLASSES, read_score
from fgcompile.errors import FgcompileError, InputError
from fgcompile.scores import Box, Contrast, Difference, LogOdds, Region, Similarity, Token, Value
from tests.cli.results import Run, assert_one_line_error


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
        ("Difference:cherry, apple ", Difference("cherry", "apple")),
        ("Difference:red-eyed fly;tabby, tabby cat", Difference("red-eyed fly", "tabby, tabby cat")),
        ("Difference:b=none,a=1.5", Difference("1.5", "none")),
        ("Contrast:none", Contrast(None)),
        ("Region:AC/DC,rows=0/4", Region("AC/DC", (0, 4))),
        ("Region:index=a=b", Region("a=b")),
        ("Token:0,B-PER", Token(0, "B-PER")),
        ("Box.yolov8:traffic light", Box.yolov8("traffic light")),
        ("Value:-1", Value(-1)),
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
        ("Region:1,cat", "'cat' is no number"),
        ("Box:1,1.5", "Box has candidate=1.5: give a whole number"),
        ("Difference:,3", "'' is no number"),
        (
            "Difference:tabby, tabby cat,lynx",
            "'lynx' is no number, none, true or false; where a class's name has a comma, sep",
        ),
        ("Region:1,rows=true", "Region has rows=True"),
        ("Token:3,,4", "'' is no number"),
        ("Contrast:index=1,index=2", "index is given twice"),
        ("LogOdds:1,epsilon=none", "LogOdds has epsilon=None: give a number"),
        ("LogOdds:1,epsilon=1/2", r"LogOdds has epsilon=\(1, 2\): give a number"),
        ("Value:none", "Value has index=None: give a class by its number"),
        ("region:1", "is no score .Difference, Contrast"),
        ("Box.yolov9:1", "is no score .Difference, Contrast.*: perhaps Box.yolov"),
        ("Diference:0,1", "no module is Diference: perhaps Difference"),
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


def test_what_may_be_a_name_is_a_class_of_the_score() -> None:
    """The table, which is read before torch is imported, is that of the scores themselves."""
    for name in SCORES:
        score = getattr(scores, name.partition(".")[0])
        assert CLASSES.get(name, ()) == getattr(score, "CLASSES", ())


def test_names_are_told_before_torch_is_imported() -> None:
    labels = ["apple", "banana", "cherry"]
    read_score("Difference", "cherry,ban").require_classes(labels)
    read_score("Contrast", "none").require_classes(labels)
    with pytest.raises(InputError, match="Difference: b 'appel' is no class of the model: perhaps 'apple'"):
        read_score("Difference", "cherry,b=appel").require_classes(labels)


def test_none_is_refused_where_a_class_is_called_so() -> None:
    labels = ["cat", "None"]
    for text in ("cat", "", "1"):
        read_score("Contrast", text).require_no_class(labels)
    read_score("Contrast", "none").require_no_class(["cat"])
    read_score("Token", "none,1").require_no_class(labels)  # the position
    with pytest.raises(
        InputError, match="index is none, and class 1 is called so too: give index=1 for the class, or le"
    ):
        read_score("Contrast", "NONE").require_no_class(labels)


def test_a_score_of_names_from_the_command_line(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By names and by numbers it is the same artifact but for nothing; both are verified without the score."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fruits_by_name.py").write_text(
        "import torch\n\n\ndef build():\n"
        "    pool = torch.nn.AdaptiveAvgPool2d(1)\n"
        "    return torch.nn.Sequential(torch.nn.Conv2d(3, 3, 3), pool, torch.nn.Flatten())\n"
    )
    (tmp_path / "names.txt").write_text("red apple\nbanana, ripe\ncherry-plum\n")
    common = (
        "fruits_by_name:build",
        "--input",
        "3x6x7",
        "--labels",
        "names.txt",
        "--mean",
        "0",
        "--std",
        "1",
        "--target",
    )
    made = run("compile", *common, "Difference:CHERRY-PLUM;banana, ripe", "-o", "named.onnx")
    assert made.status == 0, made
    assert "cherry-plum − banana, ripe" in made.out
    assert run("compile", *common, "Difference:2,1", "-o", "numbered.onnx").status == 0
    assert Path("named.onnx").read_bytes() == Path("numbered.onnx").read_bytes()
    assert_one_line_error(
        run("compile", *common, "Difference:cherry-plum,lemon", "-o", "no.onnx"),
        "Difference: b 'lemon' is no class of the model",
    )
    assert run("verify", "named.onnx", "--source", "fruits_by_name:build").status == 0
    assert run("verify", "named.onnx", "--source", "fruits_by_name:build", "--target", "Difference:2,0").status == 1

    photo = np.random.default_rng(0).integers(0, 256, (6, 7, 3), np.uint8)
    Image.fromarray(photo).save("photo.png")
    (record,) = json.loads(run("explain", "named.onnx", "photo.png", "-o", "out", "--json").out)
    logits = fgcompile.load("named.onnx").predict(photo[np.newaxis])[0]
    assert (record["name"], record["top"]) == ("cherry-plum − banana, ripe", [])
    assert record["score"] == pytest.approx(float(logits[2] - logits[1]), rel=1e-5)
    shown = run("explain", "named.onnx", "photo.png", "-o", "out").out
    assert "cherry-plum − banana, ripe" in shown
    assert f"{logits[2] - logits[1]:.2f}" in shown


def test_a_score_is_given_again_to_verify(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    model = "import torch\n\n\ndef build():\n    return torch.nn.Conv2d(3, 4, 3)\n"
    (tmp_path / "segmenter_to_verify.py").write_text(model)
    source, score = "segmenter_to_verify:build", ("--target", "Region:2,mask=true")
    assert run("compile", source, "-o", "region.onnx", "--input", "3x6x7", *score).status == 0
    verified = run("verify", "region.onnx", "--source", source, *score)
    assert verified.status == 0, verified
    assert run("verify", "region.onnx", "--source", source).status == 0  # the artifact says which it is
    refused = run("verify", "region.onnx", "--source", source, "--target", "2")
    assert_one_line_error(
        refused, "target is 2: give the function that 'region.onnx' was compiled with, --target package"
    )
    assert run("verify", "region.onnx", "--source", source, "--target", "Region:1,mask=true").status == 1


def test_a_function_of_the_user_s_is_given_again_to_verify(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "margins_to_verify.py").write_text(
        "import torch\n\n\ndef build():\n    return torch.nn.Linear(4, 3)\n\n\n"
        "def margin(logits):\n    return logits[:, 0] - logits[:, 1]\n"
    )
    source, score = "margins_to_verify:build", ("--target", "margins_to_verify:margin")
    assert run("compile", source, "-o", "margin.onnx", "--input", "4", *score).status == 0
    assert_one_line_error(
        run("verify", "margin.onnx", "--source", source),
        "the score that 'margin.onnx' explains was a function, margin, which an artifact does not hold: give it again, "
        "--target package.module:function",
    )
    assert run("verify", "margin.onnx", "--source", source, *score).status == 0


def test_a_score_without_a_value_says_what_would_give_one(capsys: pytest.CaptureFixture[str]) -> None:
    known = {"image": "a.png", "overlay": "a-explained.png", "name": "cherry − apple", "score": 1.5, "top": []}
    for records, told in (
        ([known], ""),
        ([{"image": "b", "error": "b is none"}, {**known, "name": "x", "score": None}], "x"),
    ):
        terminal.print_explanations(records)
        message = " --outputs logits,saliency,contributions,residual, which add up to it\n"
        said = told and f"x: no output says its value: compile with{message}unreadable: b is none\n"
        assert capsys.readouterr().err == said
