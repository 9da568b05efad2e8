"""Any score: exact completeness, whatever it computes from the output, and the gradient that autograd gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import InputError, ScoreError
from fgcompile.scores import Contrast, Difference, LogOdds, Region, Similarity, Value
from tests.support.sweeps import crossed, few, quick


class Boxes(NamedTuple):
    scores: Tensor
    corners: Tensor


class Network(nn.Module):
    """A small network whose outputs are wrapped in a structure."""

    def __init__(self, wrap: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.conv, self.head, self.wrap = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4, 5), wrap

    def forward(self, x: Tensor) -> Any:
        features = F.silu(self.conv(x))
        return self.wrap(self.head(features.mean((2, 3))), features)


def network(wrap: Callable[[Tensor, Tensor], Any]) -> Network:
    torch.manual_seed(0)
    return Network(wrap).double().eval()


X = torch.randn(2, 3, 6, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
QUERY = torch.randn(2, 5, generator=torch.Generator().manual_seed(2), dtype=torch.float64)

SCORES = {
    "difference": (Difference(3, 1), lambda y, f: y),
    "value": (Value(2), lambda y, f: y),
    "value of one": (Value(), lambda y, f: y[:, 0]),
    "region": (Region(1, (1, 4), (2, 6)), lambda y, f: f),
    "whole region": (Region(1), lambda y, f: f),
    "log-probability": (lambda y: y.log_softmax(1)[:, 2], lambda y, f: y),
    "squared norm": (lambda y: (y * y).sum(1), lambda y, f: y),
    "both outputs": (lambda o: o[0][:, 1] * o[1].mean((1, 2, 3)), lambda y, f: (y, f)),
    "of a dict": (lambda o: o["a"].amax(1), lambda y, f: {"a": y, "b": f}),
    "named tuple": (lambda o: o.corners.square().mean((1, 2, 3)), lambda y, f: Boxes(y, f)),
}


@pytest.mark.parametrize(("name", "rules"), crossed(SCORES, ["taylor", "libragrad"]))
def test_terms_add_up_to_any_score(name: str, rules: str) -> None:
    score, wrap = SCORES[name]
    model = network(wrap)
    terms = fgcompile.full_gradient(model, X, target=score, rules=rules)
    torch.testing.assert_close(terms.score, score(model(X)))
    assert terms.relative_completeness_error.max() < 1e-13
    if rules == "taylor":
        x = X.clone().requires_grad_()
        (expected,) = torch.autograd.grad(score(model(x)).sum(), x)
        torch.testing.assert_close(terms.input_gradient, expected)


@pytest.mark.parametrize("suffix", quick([".onnx", ".pt"], ".onnx"))
def test_similarity_to_a_vector_given_at_run_time(suffix: str, tmp_path: Path) -> None:
    model = network(lambda y, f: y).float()
    artifact = fgcompile.compile(
        model,
        X.float(),
        format={".onnx": "onnx", ".pt": "torchscript"}[suffix],
        target=Similarity(),
        score_inputs={"query": torch.zeros(1, 5)},
        outputs=("logits", "saliency", "contributions", "input_gradient"),
    )
    artifact.save(tmp_path / f"similarity{suffix}")
    session = fgcompile.load(tmp_path / f"similarity{suffix}")
    assert [spec["name"] for spec in session.metadata["inputs"]] == ["x", "query"]
    explanation = session.explain({"x": X.float().numpy(), "query": QUERY.float().numpy()})
    similarity = F.cosine_similarity(model(X.float()), QUERY.float()).detach().numpy()
    np.testing.assert_allclose(explanation.contributions.sum(1), similarity, rtol=1e-4, atol=1e-5)
    expected = fgcompile.full_gradient(model, X.float(), target=Similarity(), score_inputs={"query": QUERY.float()})
    np.testing.assert_allclose(explanation.input_gradient, expected.input_gradient, rtol=1e-3, atol=1e-6)
    assert explanation.saliency.shape == (2, 1, 6, 7)
    assert explanation.target is None
    path, inputs = tmp_path / f"similarity{suffix}", (X.float(), QUERY.float())
    assert fgcompile.verify(path, model, inputs, target=Similarity()).passed
    assert not fgcompile.verify(path, model, inputs, target=lambda y, query: (y * query).sum(1)).passed
    assert fgcompile.verify(path, model, inputs).passed  # the artifact says which it is


def test_the_score_and_its_layers_are_named() -> None:
    program = fgcompile.full_gradient(network(lambda y, f: y), X, target=lambda y: y.exp().sum(1))
    assert list(program.bias_gradients) == ["conv", "silu", "head", "score.exp"]


@pytest.mark.parametrize(
    ("wrap", "output", "found"),
    few(
        [
            (lambda y, f: {"features": f, "logits": y}, None, 5),
            (lambda y, f: {"out": y, "aux": f}, None, 5),
            (lambda y, f: (f, y), 1, 5),
            (lambda y, f: Boxes(y, f), "scores", 5),
            (lambda y, f: (y,), None, 5),
        ],
        3,
    ),
)
def test_the_explained_output(wrap: Callable[..., Any], output: str | int | None, found: int) -> None:
    terms = fgcompile.full_gradient(network(wrap), X, target=1, output=output)
    expected = fgcompile.full_gradient(network(lambda y, f: y), X, target=1)
    torch.testing.assert_close(terms.score, expected.score)
    torch.testing.assert_close(terms.input_gradient, expected.input_gradient)


@pytest.mark.parametrize(
    ("wrap", "options", "message"),
    [
        (lambda y, f: (y, f), {}, "several outputs: name the one explained"),
        (lambda y, f: {"a": y}, {"output": "b"}, "no output 'b', it has one alone: leave output= out"),
        (lambda y, f: y, {"output": 5}, "no output 5, it has one alone: leave output= out"),
        (lambda y, f: {"a": y, "c": f}, {"output": "b"}, "no output 'b': name one of 'a', 'c'"),
        (lambda y, f: y[:, 0], {}, "one number a sample and no class: explain it itself by target=Value"),
        (lambda y, f: y, {"target": lambda y: y}, "one scalar per sample"),
        (lambda y, f: y, {"target": lambda y: 1.0}, "one scalar per sample"),
        (lambda y, f: y, {"target": lambda y: y["logits"]}, "cannot be computed from the model's output"),
        (lambda y, f: y, {"target": lambda y: y.detach()[:, 0]}, "does not depend"),
    ],
)
def test_a_score_that_cannot_be(wrap: Callable[..., Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        fgcompile.full_gradient(network(wrap), X, **options)


def test_the_difference_of_a_class_and_itself_is_none() -> None:
    with pytest.raises(ScoreError, match="class 1 and itself is 0"):
        Difference(1, 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Difference(None, 1), "Difference has a=None: give a class by its number or its name"),
        (lambda: Difference(1.0, 2), r"Difference has a=1\.0: give a class"),
        (lambda: LogOdds(True), "LogOdds has index=True: give a class"),
        (lambda: LogOdds(1, epsilon="0.1"), "LogOdds has epsilon='0.1': give a number"),
        (lambda: Region(None), "Region has index=None: give a class"),
        (lambda: Value((0, 1.5)), r"Value has index=\(0, 1\.5\): give a whole number for each axis"),
    ],
)
def test_classes_that_are_none_are_refused_when_a_score_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()


def test_whole_numbers_of_numpy_are_classes() -> None:
    assert Difference(np.int64(3), np.uint8(1)) == Difference(3, 1)
    assert type(Difference(np.int64(3), 1).a) is int
    assert Value((np.int32(1), 2)) == Value((1, 2))
    assert Contrast(None).index is None


def test_one_class_counted_from_either_end_is_itself() -> None:
    with pytest.raises(ScoreError, match="Difference of class -1, which is 4 too, and itself"):
        fgcompile.full_gradient(network(lambda y, f: y), torch.randn(2, 3, 4, 4).double(), target=Difference(-1, 4))


def test_a_value_of_one_number_a_sample_goes_by_its_only_name() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 1), nn.Flatten(0)).eval()
    artifact = fgcompile.compile(model, torch.randn(3, 4), target=Value("price"), labels=["price"])
    x = torch.randn(3, 4)
    torch.testing.assert_close(artifact.session().explain(x).logits.flatten(), model(x).detach())
