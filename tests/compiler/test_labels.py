"""Names of classes: who has them, whether they fit, and what a score of classes is called by them."""

from __future__ import annotations

import json
import re
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.metadata import loads
from fgcompile.artifact.scores import score_in_words, score_name, score_of_logits
from fgcompile.compiler.capture.class_names import names_in_properties
from fgcompile.compiler.labels import describe_score, require_count
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import open_model
from fgcompile.errors import ArtifactError, CaptureWarning, InputError, ScoreError
from fgcompile.runtime.depicting import words_of
from fgcompile.scores import Box, Contrast, Difference, LogOdds, Region, Token, Value
from tests.compiler.capture.onnx.files import graph, node
from tests.compiler.capture.onnx.files import model as onnx_model
from tests.support.sweeps import few
from tests.support.tiny_artifacts import dumps, tiny_metadata

FRUITS = ("apple", "banana", "cherry")
X = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
PICTURES = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(0))


def margin(logits: Tensor) -> Tensor:
    return logits[:, 0] - logits[:, 1]


@dataclass
class Own:
    """A score of a user's, of which one argument is written otherwise each time."""

    weight: object
    classes: tuple[Any, ...]
    power: float = 2.0


def classifier() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3)).eval()


@pytest.mark.parametrize(
    ("score", "bare", "named"),
    [
        (margin, "margin", "margin"),
        (Difference(2, 0), "class 2 − class 0", "cherry − apple"),
        (Difference(-1, 0), "class -1 − class 0", "cherry − apple"),
        (Contrast(1), "class 1 − next best", "banana − next best"),
        (Contrast(), "predicted − next best", "predicted − next best"),
        (LogOdds(2), "log-odds of class 2", "log-odds of cherry"),
        (LogOdds(2, 1e-3), "LogOdds(index=2, epsilon=0.001)", "LogOdds(index=cherry, epsilon=0.001)"),
        (Region(1, rows=(0, 40)), "Region(index=1, rows=(0, 40))", "Region(index=banana, rows=(0, 40))"),
        (
            Box.yolov8(1, 2),
            *[f"Box.yolov8:{k},candidate=2" for k in (1, "banana")],
        ),
        (Box(candidate=2), "Box(candidate=2)", "Box(candidate=2)"),
        (Box.yolov5(), "Box.yolov5", "Box.yolov5"),
        (Box.detr(0, None), "Box.detr:0", "Box.detr:apple"),
        (Token(1, 2), "Token(position=1, token=2)", "Token(position=1, token=cherry)"),
        (Token(1), "Token(position=1)", "Token(position=1)"),  # −1 is the likeliest, not the last
        (Value(2), "Value(index=2)", "Value(index=cherry)"),
        (Value(), "Value()", "Value(index=apple)"),
        (Value((2,)), "Value(index=(2,))", "Value(index=cherry)"),
        (Value((2, 1)), "Value(index=(2, 1))", "Value(index=(2, 1))"),  # places on two axes
        (Own(object(), (1, "b")), "Own(classes=(1, 'b'))", "Own(classes=(1, 'b'))"),
        (Own(object(), (object(),)), "Own()", "Own()"),
        (nn.Identity(), "Identity", "Identity"),
        (partial(margin), "margin", "margin"),
        (lambda logits: logits[:, 0], None, None),
    ],
)
def test_a_score_is_called_by_what_says_which_it_is(score: Any, bare: str | None, named: str | None) -> None:
    assert describe_score(score).get("score") == bare
    assert describe_score(score, FRUITS).get("score") == named


def test_no_score_has_no_name_and_a_long_one_has_numbers() -> None:
    assert describe_score(None, FRUITS) == {}
    long = ["a" * 300, "b", "c"]
    assert describe_score(Difference(0, 1), long)["score"] == "class 0 − class 1"
    assert describe_score(Difference(0, 1), ["kite", "kite", "c"])["score"] == "kite (0) − kite (1)"


@pytest.mark.parametrize(
    "score", [Difference(2, 0), Contrast(None), Region(1, (0, 4), mask=False), Box.yolov8(3, None), Token(None, 4)]
)
def test_what_makes_a_score_again_outlives_json(score: Any) -> None:
    described = describe_score(score, FRUITS)
    metadata = loads(dumps(tiny_metadata(target="score", **described)), "artifact")
    scored = metadata["scored"]
    arguments = {key: tuple(each) if isinstance(each, list) else each for key, each in scored["arguments"].items()}
    assert fgcompile.scores.SCORES[scored["name"]](**arguments) == score


def test_only_scores_of_the_package_are_made_again() -> None:
    for score in (margin, Own(1, (2,)), partial(Difference(0, 1))):
        assert "scored" not in describe_score(score)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "score",
    [Difference(2, 0), Difference(-1, 0), Contrast(1), Contrast(-3), Contrast(), LogOdds(1), Value(), Value((-1,))],
)
def test_the_value_that_the_logits_say_is_the_score_s(score: Any) -> None:
    """The score itself, in PyTorch, is the oracle."""
    values = torch.rand(4, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    metadata = loads(dumps(tiny_metadata(target="score", **describe_score(score))), "artifact")
    found = [score_of_logits(each, metadata) for each in values.numpy()]
    np.testing.assert_allclose(found, score(values).numpy(), rtol=1e-12)
    assert score_of_logits(None, metadata) is None


@pytest.mark.parametrize(
    "score",
    [
        *(Value(17), Value((1, 2, 3)), Region(1), Region(-1, (0, 2)), Region(0, (1, 3), (2, 5))),
        *(Token(), Token(0, 2), Token(-2), Token(1, -1)),
    ],
)
def test_a_value_of_several_axes_is_the_score_s_too(score: Any) -> None:
    shape = (2, 4, 5) if isinstance(score, Token) else (2, 3, 4, 5)
    values = torch.rand(shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    metadata = loads(dumps(tiny_metadata(target="score", **describe_score(score))), "artifact")
    assert score_of_logits(values[1].numpy(), metadata) == pytest.approx(score(values)[1].item(), rel=1e-12)


@pytest.mark.parametrize(
    "arguments", [{"a": 0}, {"a": 0, "b": 9}, {"a": 0, "b": None}, {"a": 0, "b": [1, 2]}, {"c": 1}]
)
def test_a_score_that_its_logits_do_not_have_is_refused(arguments: dict[str, Any]) -> None:
    scored = {"name": "Difference", "arguments": arguments}
    metadata = loads(dumps(tiny_metadata(target="score", score="x", scored=scored)), "artifact")
    with pytest.raises(ArtifactError, match="does not fit its logits"):
        score_of_logits(np.zeros(3), metadata)
    assert isinstance(score_name(metadata, numbered=True), str)


def test_scores_that_a_call_says_more_of_have_no_value_of_the_logits() -> None:
    for score in (Region(1, mask=True), Token(None, 2), Token(0, None), Box(1, None)):
        metadata = loads(dumps(tiny_metadata(target="score", **describe_score(score))), "artifact")
        assert score_of_logits(np.zeros((3, 4, 5)), metadata) is None
    assert score_in_words("Own", {}) == "Own()"


def test_names_in_a_score_are_their_numbers_and_captions_have_them(tmp_path: Path) -> None:
    model = classifier()
    named = fgcompile.compile(model, X, target=Difference(" CHERRY", "app"), labels=FRUITS)
    assert named.content == fgcompile.compile(model, X, target=Difference(2, 0), labels=FRUITS).content
    explanation = named.session().explain(X.numpy())
    words = words_of(explanation[0])[0]
    expected = model(X)[0].tolist()
    assert (words.name, words.number) == ("cherry − apple", "class 2 − class 0")
    assert words.score == pytest.approx(expected[2] - expected[0], rel=1e-4)
    assert words.detail == f"score {words.score:.2f}".replace("-", "−")
    path = tmp_path / "named.onnx"
    named.save(path)
    report = fgcompile.verify(path, model, X.numpy())
    assert report.passed, report
    assert not fgcompile.verify(path, model, X.numpy(), Difference("cherry", "banana")).passed


def test_a_function_of_the_user_s_is_given_again_to_verify(tmp_path: Path) -> None:
    path, model = tmp_path / "margin.onnx", classifier()
    fgcompile.compile(model, X, target=margin).save(path)
    with pytest.raises(
        InputError, match="was a function, margin, which an artifact does not hold: give it again, targ"
    ):
        fgcompile.verify(path, model, X)
    with pytest.raises(InputError, match=r"target is 2: give the function that .* was compiled with, target=score"):
        fgcompile.verify(path, model, X, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("score", "options", "message"),
    [
        (
            Difference("chery", 0),
            {"labels": FRUITS},
            "Difference: a 'chery' is no class of the model: perhaps 'cherry'",
        ),
        (Difference("cherry", "a"), {"labels": ("a", "A", "cherry")}, None),
        (
            Difference("cherry", "a"),
            {"labels": ("ab", "ac", "cherry")},
            "b 'a' is the name of several classes: give a nu",
        ),
        (
            Difference("cherry", "apple"),
            {},
            "a 'cherry': the model has no names of classes: give a class as a whole num",
        ),
        (Difference("cherry", "CHERRY"), {"labels": FRUITS}, "Difference of class 2 and itself is 0"),
        (
            Difference("2", "apple"),
            {"labels": ("apple", "2", "c")},
            "a '2' is a number, and class 1 is called so: give an i",
        ),
        (Difference(0, 1), {"labels": (*FRUITS, "date")}, "there are 4 labels for 3 classes: give one per class"),
    ],
)
def test_names_that_are_none_are_told(score: Any, options: Any, message: str | None) -> None:
    if message is None:  # of two that differ in capitals the one that is written so
        assert fgcompile.compile(classifier(), X, target=score, **options).metadata["score"] == "cherry − a"
        return
    with pytest.raises((InputError, ScoreError), match=message):
        fgcompile.compile(classifier(), X, target=score, **options)


def test_a_score_alone_knows_no_names() -> None:
    for make, output in (
        (Difference("a", 1), torch.zeros(2, 3)),
        (Contrast("a"), torch.zeros(2, 3)),
        (LogOdds("a"), torch.zeros(2, 3)),
        (Value("a"), torch.zeros(2, 3)),
        (Region("a"), torch.zeros(2, 3, 4, 4)),
        (Token(0, "a"), torch.zeros(2, 4, 3)),
        (Box("a"), torch.zeros(2, 5, 3)),
    ):
        with pytest.raises(
            ScoreError, match="='a', a class's name, which labels say the number of: compile it with lab"
        ):
            make(output)  # type: ignore[operator]
    for wrong in (1.5, True, "", ("a",), b"a"):
        with pytest.raises(InputError, match="give a class by its number or its name"):
            Difference(wrong, 1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("network", "x", "score"),
    few(
        [
            (nn.Conv2d(3, 3, 1), PICTURES, Region("cherry", rows=(0, 4))),
            (nn.Linear(6, 3 + 1), torch.randn(2, 5, 6), Box("cherry", background=True)),
            (nn.Conv1d(3, 3 + 4, 1), torch.randn(2, 3, 5), Box("cherry", axis=2, first=4)),
            (nn.Linear(6, 3), torch.randn(2, 5, 6), Token(1, "cherry")),
        ],
        2,
    ),
)
def test_labels_are_as_many_as_a_score_has_classes(network: nn.Module, x: Tensor, score: Any) -> None:
    artifact = fgcompile.compile(network.eval(), x, target=score, labels=FRUITS)
    assert "=cherry" in artifact.metadata["score"]
    for labels in (("cherry", "d"), (*FRUITS[:2], "d", "cherry")):
        with pytest.raises(InputError, match=f"there are {len(labels)} labels for 3 classes"):
            fgcompile.compile(network, x, target=score, labels=labels)


def test_a_name_of_a_value_is_of_one_axis() -> None:
    with pytest.raises(ScoreError, match="Value is a score of an output of 2 axes"):
        fgcompile.compile(nn.Conv2d(3, 3, 1).eval(), PICTURES, target=Value("cherry"), labels=FRUITS)


def configured(names: Any) -> nn.Module:
    model: Any = classifier()
    model.config = SimpleNamespace(id2label=names)
    return model  # type: ignore[no-any-return]


def a_file(folder: Path, **properties: str) -> Path:
    weights = {"w": np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)}
    written = onnx_model(graph([node("MatMul", "x w", "y")], {"x": ("float32", ["n", 4])}, ["y"], weights))
    for key, value in properties.items():
        written.metadata_props.add(key=key, value=value)
    onnx.save(written, folder / "net.onnx")
    return folder / "net.onnx"


def test_scores_take_the_names_of_the_source(tmp_path: Path) -> None:
    for source, x in (
        (configured(dict(enumerate(FRUITS))), X),
        (a_file(tmp_path, names=json.dumps(FRUITS)), None),
    ):
        artifact = fgcompile.compile(source, x, target=Difference("cherry", "apple"))
        assert (artifact.metadata["score"], artifact.metadata["labels"]) == ("cherry − apple", list(FRUITS))
        terms = fgcompile.full_gradient(source, torch.ones(1, 4) if x is None else x, Difference("cherry", "apple"))
        assert torch.equal(
            terms.score, fgcompile.full_gradient(source, torch.ones(1, 4) if x is None else x, Difference(2, 0)).score
        )
    four = dict(enumerate((*FRUITS, "date")))
    with pytest.raises(InputError, match="there are 4 labels for 3 classes"):
        fgcompile.compile(configured(four), X, target=Difference("cherry", "apple"))


NUMBERS = "classes are called by their numbers; to name them give labels, a name for each class in order"


@pytest.mark.parametrize(
    ("properties", "names", "problem"),
    [
        ({"names": "{0: 'apple', 1: 'banana', 2: 'cherry'}"}, FRUITS, None),  # Ultralytics
        ({"id2label": json.dumps({"2": "cherry", "0": "apple", "1": "banana"})}, FRUITS, None),  # Transformers
        ({"class_names": "('apple', 'banana', 'cherry')"}, FRUITS, None),
        ({"names": "damaged", "classes": json.dumps(FRUITS)}, FRUITS, None),  # another key has them
        ({"classes": "3"}, None, None),
        ({"names": " "}, None, None),
        ({"names": "[]"}, None, None),
        ({"author": "[1, 2]"}, None, None),
        ({"id2label": json.dumps({str(k): f"LABEL_{k}" for k in range(3)})}, None, None),
        ({"names": json.dumps(FRUITS)[:-3]}, None, "'names' cannot be read"),
        ({"labels": "apple,banana,cherry"}, None, "'labels' cannot be read"),
        ({"labels": "nan"}, None, "'labels' cannot be read"),
        ({"names": "[" * 5000}, None, "'names' cannot be read"),
        ({"names": "__import__('os').system('true')"}, None, "'names' cannot be read"),
        ({"names": "{0: 'apple', 2: 'cherry'}"}, None, "'names' has 2 names, and none for class 1"),
        ({"names": "{'apple': 0}"}, None, "'names' has a key that is no number of a class, or is there twice"),
        ({"names": "{0: 'apple', '0': 'cherry'}"}, None, "'names' has a key that is no number of a class, or is there"),
        ({"names": "['apple', 5, 'cherry']"}, None, "'names' has '5' for class 1, which is no text"),
        ({"names": json.dumps(["a", "b\n", "c"])}, None, r"'names' has the control character '\n' in class 1"),
    ],
)
def test_names_in_a_file_s_metadata_are_read_or_told(
    properties: dict[str, str], names: tuple[str, ...] | None, problem: str | None
) -> None:
    found = names_in_properties(properties)
    assert found.names == names
    if problem is None:
        assert found.problem is None
    else:
        assert str(found.problem).startswith(f"its metadata {problem}")
        assert str(found.problem).endswith("a mapping of the numbers from 0 on to names, as JSON or Python writes them")


@pytest.mark.parametrize(
    ("names", "labels", "problem"),
    [
        (dict(enumerate(FRUITS)), FRUITS, None),
        ({"0": "apple", "1": "banana", "2": "cherry"}, FRUITS, None),
        ({k: f"LABEL_{k}" for k in range(3)}, None, None),
        (None, None, None),
        ({}, None, None),
        ({0: "apple", 2: "cherry"}, None, "the model's configuration: its id2label has 2 names, and none for class 1"),
        (
            {0: "apple", 1: "b\x1b"},
            None,
            r"the model's configuration: its id2label has the control character '\x1b' in c",
        ),
    ],
)
def test_names_in_a_configuration_are_read_or_told(names: Any, labels: Any, problem: str | None) -> None:
    own = open_model(configured(names), X, Request()).labels
    assert own.names == labels
    assert own.problem == problem or str(own.problem).startswith(str(problem))


def test_names_that_are_left_out_are_told_once_when_compiling(tmp_path: Path) -> None:
    for source, message in (
        (
            a_file(tmp_path, names="[apple"),
            f"{tmp_path / 'net.onnx'}: its metadata 'names' cannot be read: what is read is",
        ),
        (
            configured(dict(enumerate("ab"))),
            "the model's configuration names 2 classes, and the model has 3: classes are",
        ),
    ):
        with pytest.warns(CaptureWarning, match=re.escape(message)) as caught:
            artifact = fgcompile.compile(source, None if isinstance(source, Path) else X)
        assert artifact.metadata["labels"] is None
        (told,) = [str(each.message) for each in caught if "classes are called" in str(each.message)]
        assert told.endswith(NUMBERS)
        assert caught[0].filename == __file__
        with warnings.catch_warnings():
            warnings.simplefilter("error", CaptureWarning)
            given = fgcompile.compile(source, None if isinstance(source, Path) else X, labels=FRUITS)
        assert given.metadata["labels"] == list(FRUITS)


def test_names_that_a_score_has_no_use_for_are_left_out_silently() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", CaptureWarning)
        artifact = fgcompile.compile(configured(dict(enumerate("ab"))), X, target=margin)
    assert artifact.metadata["labels"] is None


def test_a_name_of_a_source_s_that_has_other_classes_is_told() -> None:
    with pytest.raises(
        InputError, match="'b': the model's configuration names 2 classes, and the model has 3: give labels"
    ):
        fgcompile.compile(configured(dict(enumerate("ab"))), X, target="b")


@pytest.mark.parametrize(
    ("sizes", "way"),
    [
        ((7, 64), "target=Box.yolov8(), of fgcompile.scores, or explain its class logits alone, output="),
        ((64, 8), "target=Box.yolov5(), of"),
        ((64, 7), "target=Box(), of"),
        ((6, 64), "as long: give one per class"),
    ],
)
def test_labels_of_a_detector_s_head_are_told_of_its_scores(sizes: tuple[int, int], way: str) -> None:
    with pytest.raises(InputError, match=re.escape(way)):
        require_count(FRUITS, sizes)
