"""The scores of ``fgcompile.scores`` on the outputs they are of: autograd of scores written by hand is the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.ir.sizes import is_fixed
from fgcompile.errors import CaptureError, FgcompileError, InputError, ScoreError
from fgcompile.runtime.session import Session
from fgcompile.scores import Box, Continuation, Contrast, LogOdds, Region, Similarity, Token, Value
from tests.support.sweeps import crossed, few

BATCHES = (1, 2, 5)
HEIGHT, WIDTH, CLASSES = 4, 5, 7
PLACES = HEIGHT * WIDTH


def _raw(maps: Tensor) -> Tensor:
    return maps.flatten(2).transpose(1, 2)


FORMS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "one": lambda maps: maps.mean((1, 2, 3)),
    "logits": lambda maps: maps.mean((2, 3)),
    "probabilities": lambda maps: maps.mean((2, 3)).softmax(1),
    "maps": lambda maps: maps,
    "rows": _raw,
    "rows of a softmax": lambda maps: _raw(maps).softmax(2),
    "yolov5": lambda maps: torch.cat([_raw(maps)[:, :, :4], _raw(maps)[:, :, 4:].sigmoid()], 2),
    "yolov8": lambda maps: torch.cat([maps[:, :4], maps[:, 4:].sigmoid()], 1).flatten(2),
}


class Head(nn.Module):
    """A small network whose output has one of the forms."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self.stem, self.head, self.form = nn.Conv2d(3, 5, 3, padding=1), nn.Conv2d(5, CLASSES, 1), FORMS[form]

    def forward(self, x: Tensor) -> Tensor:
        return self.form(self.head(F.silu(self.stem(x))))


def head(form: str) -> Head:
    torch.manual_seed(0)
    return Head(form).double().eval()


def images(samples: int) -> Tensor:
    return torch.randn(samples, 3, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(samples), dtype=torch.float64)


def _logit(p: Tensor) -> Tensor:
    return p.log() - (1 - p).log()


def _each(of: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A score written for one sample, for all of them."""
    return lambda y, **own: torch.stack([of(y[i], **{name: v[i] for name, v in own.items()}) for i in range(len(y))])


def _token(y: Tensor, position: Tensor, token: Tensor) -> Tensor:
    logs = y[int(position)].log_softmax(0)
    return logs.max() if token == -1 else logs[int(token)]


def _continuation(y: Tensor, tokens: Tensor) -> Tensor:
    logs = [y[PLACES - 3 + place - 1].log_softmax(0)[int(token)] for place, token in enumerate(tokens)]
    return logs[0] + logs[1] + logs[2]


def _masked(y: Tensor, mask: Tensor) -> Tensor:
    kept = [(float(mask[i, j]), y[3, i, j]) for i in range(HEIGHT) for j in range(WIDTH) if mask[i, j] > 0]
    total = sum(weight for weight, _ in kept)
    return sum(weight * value / total for weight, value in kept) + 0 * y.sum()


def _masks(samples: int) -> Tensor:
    """Weights, of which some are below 0; the second sample's are all 0."""
    masks = torch.randn(samples, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(7), dtype=torch.float64)
    return masks * (torch.arange(samples) != 1).reshape(-1, 1, 1)


def _indices(size: int, *behind: int) -> Callable[[int], Tensor]:
    return lambda samples: torch.randint(0, size, (samples, *behind), generator=torch.Generator().manual_seed(size))


CANDIDATES = torch.tensor([-1, 3, PLACES - 1, -1, 0])
POSITIONS, TOKENS = torch.tensor([-1, 3, -1, PLACES - 1, 0]), torch.tensor([3, -1, CLASSES - 1, -1, 0])


@dataclass(frozen=True)
class Case:
    """A score, the form of output it is for, the same by hand, and the inputs of its own for some samples."""

    score: Any
    form: str
    by_hand: Callable[..., Tensor]
    own: Mapping[str, Callable[[int], Tensor]] = field(default_factory=dict)

    def given(self, samples: int) -> dict[str, Tensor]:
        return {name: make(samples) for name, make in self.own.items()}


CASES = {
    "contrast": Case(Contrast(2), "logits", _each(lambda y: y[2] - torch.cat([y[:2], y[3:]]).max())),
    "contrast from the end": Case(Contrast(-1), "logits", _each(lambda y: y[-1] - y[:-1].max())),
    "margin": Case(Contrast(), "logits", _each(lambda y: y.sort()[0][-1] - y.sort()[0][-2])),
    "log-odds": Case(LogOdds(3), "probabilities", _each(lambda y: _logit(y[3]))),
    "value of one": Case(Value(), "one", lambda y: y),
    "value by an index": Case(Value(23), "maps", _each(lambda y: y[1, 0, 3])),
    "value by indices": Case(Value((1, 0, 3)), "maps", _each(lambda y: y[1, 0, 3])),
    "similarity": Case(
        Similarity(),
        "logits",
        _each(lambda y, query: (y * query).sum() / (y.square().sum() * query.square().sum()).sqrt()),
        {"query": lambda samples: torch.ones(samples, CLASSES).double().cumsum(1)},
    ),
    "region": Case(Region(3, (1, 3), (2, 5)), "maps", _each(lambda y: y[3, 1:3, 2:5].sum() / 6)),
    "region of a mask": Case(Region(3, mask=True), "maps", _each(_masked), {"mask": _masks}),
    "token": Case(Token(4, 2), "rows", _each(lambda y: y[4].log_softmax(0)[2])),
    "last token": Case(Token(), "rows", _each(lambda y: y[-1].log_softmax(0).max())),
    "token at run time": Case(
        Token(None, None),
        "rows",
        _each(_token),
        {"position": lambda samples: POSITIONS[:samples], "token": lambda samples: TOKENS[:samples]},
    ),
    "continuation": Case(Continuation(3), "rows", _each(_continuation), {"tokens": _indices(CLASSES, 3)}),
    "yolov5": Case(Box.yolov5(1, 6), "yolov5", _each(lambda y: _logit(y[6, 4] * y[6, 6]))),
    "yolov5, the best": Case(Box.yolov5(1), "yolov5", _each(lambda y: _logit((y[:, 4] * y[:, 6]).max()))),
    "yolov5, logits": Case(
        Box(1, 6, first=5, objectness=4), "rows", _each(lambda y: (y[6, 4].sigmoid() * y[6, 6].sigmoid()).log())
    ),
    "yolov8": Case(Box.yolov8(2, 6), "yolov8", _each(lambda y: _logit(y[6, 6]))),
    "yolov8 at run time": Case(
        Box.yolov8(2, None),
        "yolov8",
        _each(lambda y, candidate: _logit(y[6].max() if candidate == -1 else y[6, int(candidate)])),
        {"candidate": lambda samples: CANDIDATES[:samples]},
    ),
    "detr": Case(Box.detr(4, 6), "rows", _each(lambda y: y[6].log_softmax(0)[4])),
    "detr, the likeliest": Case(Box.detr(None, 6), "rows", _each(lambda y: y[6].log_softmax(0)[:-1].max())),
    "detr, after its softmax": Case(
        Box(2, 4, background=True, probabilities=True), "rows of a softmax", _each(lambda y: y[4, 2].log())
    ),
    "retinanet, the best": Case(Box.retinanet(4), "rows", _each(lambda y: y[:, 4].max())),
    "retinanet at run time": Case(
        Box.retinanet(4, None),
        "rows",
        _each(lambda y, candidate: y[:, 4].max() if candidate == -1 else y[int(candidate), 4]),
        {"candidate": lambda samples: CANDIDATES[:samples]},
    ),
}


def by_hand(case: Case, model: nn.Module, x: Tensor, own: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The score and its gradient with respect to the images."""
    x = x.clone().requires_grad_()
    score = case.by_hand(model(x), **own)
    (gradient,) = torch.autograd.grad(score.sum(), x)
    return score.detach(), gradient


RULES = ("taylor", "libragrad")
MADE = [("onnx", "taylor"), ("torchscript", "libragrad"), ("onnx", "libragrad"), ("torchscript", "taylor")]
"""The formats and rule sets, of which each score has one each time; packages are wide, and slow."""

PACKAGES = [pytest.param(name, ("pt2", rules), marks=pytest.mark.slow) for name in CASES for rules in RULES]


def compiled(case: Case, path: Path, rules: str = "taylor") -> Session:
    """The artifact of a score, read back; its own inputs are examples of its own."""
    model = head(case.form).float()
    own = case.score.own_inputs(model(images(2).float()).detach()) if case.own else {}
    assert list(own) == list(case.own)
    options = {"score_inputs": own, "outputs": ("logits", "contributions", "input_gradient"), "rules": rules}
    format = next(name for name, suffix in SUFFIXES.items() if suffix == path.suffix)
    fgcompile.compile(model, images(2).float(), target=case.score, format=format, **options).save(path)
    return fgcompile.load(path)


@pytest.mark.parametrize(("name", "samples"), few(crossed(CASES, BATCHES), 12))
def test_a_score_is_what_is_written_by_hand(name: str, samples: int) -> None:
    case, x = CASES[name], images(samples)
    model, own = head(case.form), case.given(samples)
    terms = fgcompile.full_gradient(model, x, target=case.score, score_inputs=own)
    score, gradient = by_hand(case, model, x, own)
    torch.testing.assert_close(terms.score, score)
    torch.testing.assert_close(terms.input_gradient, gradient)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize("name", few([name for name, case in CASES.items() if case.own], 2))
def test_an_example_of_one_sample_does_for_any_number(name: str) -> None:
    case, x = CASES[name], images(2)
    model = head(case.form)
    one = {own: value[:1] for own, value in case.score.own_inputs(model(x).detach()).items()}
    program = fgcompile.compile(model.float(), x.float(), target=case.score, score_inputs=one)
    assert [spec["shape"][0] for spec in program.metadata["inputs"]] == ["batch"] * (1 + len(case.own))


@pytest.mark.whole
def test_a_mask_follows_the_sizes_of_the_image(tmp_path: Path) -> None:
    case, model = CASES["region of a mask"], head("maps")
    options = {"outputs": ("logits", "saliency", "contributions", "input_gradient"), "dynamic_sizes": True}
    fgcompile.compile(head("maps").float(), torch.randn(1, 3, 6, 8), target=case.score, **options).save(
        tmp_path / "a.onnx"
    )
    session = fgcompile.load(tmp_path / "a.onnx")
    assert session.metadata["inputs"][1]["shape"] == ["batch", "height", "width"]
    x, mask = torch.randn(2, 3, 7, 11).double(), (torch.rand(2, 7, 11) < 0.5).double()
    found = session.explain((x.float().numpy(), mask.float().numpy()))
    leaf = x.requires_grad_()
    score = (model(leaf)[:, 3] * mask).sum((1, 2)) / mask.sum((1, 2))
    gradient = torch.autograd.grad(score.sum(), leaf)[0]
    np.testing.assert_allclose(found.contributions.sum(1), score.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.input_gradient, gradient, rtol=1e-3, atol=1e-6)
    with pytest.raises(InputError, match="mask has width 10, x has 11"):
        session.explain((x.float().detach().numpy(), np.ones((2, 7, 10), np.float32)))


def test_what_a_score_takes_has_its_own_sizes_or_an_image_s() -> None:
    """Weights of classes stay as many; a mask of half the image's size, which is none of an input's, is refused."""
    segmenter, image = nn.Conv2d(3, 2, 3, padding=1), torch.randn(1, 3, 6, 8)

    def weighted(logits: Tensor, weights: Tensor) -> Tensor:
        return (logits.mean((2, 3)) * weights).sum(1)

    captured = capture(
        segmenter.eval(), image, weighted, score_inputs={"weights": torch.ones(1, 2)}, dynamic_sizes=True
    )
    x, weights = captured.graph_module.graph.find_nodes(op="placeholder")[:2]
    assert [is_fixed(size) for size in x.meta["val"].shape[1:]] == [True, False, False]
    assert weights.meta["val"].shape[1] == 2
    half = nn.Conv2d(3, 2, 3, stride=2, padding=1).eval()
    own = {"mask": torch.ones(1, 3, 4)}
    with pytest.raises(CaptureError, match="the score does not take the output at other sizes than the examples'"):
        capture(half, image, Region(1, mask=True), score_inputs=own, dynamic_sizes=True)


@pytest.mark.whole
@pytest.mark.parametrize(("name", "made"), few([*crossed(CASES, MADE), *PACKAGES], 4))
def test_an_artifact_of_a_score_is_what_is_written_by_hand(name: str, made: tuple[str, str], tmp_path: Path) -> None:
    case, (format, rules) = CASES[name], made
    session = compiled(case, (tmp_path / "score").with_suffix(SUFFIXES[format]), rules)
    for samples in BATCHES:
        own = case.given(samples)
        given = {"x": images(samples), **own}
        found = session.explain({k: (v.float() if v.is_floating_point() else v).numpy() for k, v in given.items()})
        score, gradient = by_hand(case, head(case.form), images(samples), own)
        np.testing.assert_allclose(found.contributions.sum(1), score, rtol=1e-4, atol=1e-5)
        if rules == "taylor":  # libragrad's is another gradient, whose terms add up to the same score
            np.testing.assert_allclose(found.input_gradient, gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "own", "message"),
    few(
        [
            ("token at run time", {"position": [PLACES], "token": [0]}, "position has 20 at index .0,., out of range"),
            ("token at run time", {"position": [0], "token": [CLASSES]}, "token has 7 at index .0,., out of range"),
            ("continuation", {"tokens": [[0, CLASSES, 0]]}, "tokens has 7 at index .0, 1., out of range"),
            ("continuation", {"tokens": [[0, 0]]}, "tokens has shape .1, 2., the artifact takes .batch, 3."),
            ("yolov8 at run time", {"candidate": [PLACES]}, "candidate has 20 at index .0,., out of range"),
            (
                "region of a mask",
                {"mask": np.ones((1, HEIGHT, WIDTH + 1))},
                "mask has shape .1, 4, 6., the artifact takes",
            ),
            ("region of a mask", {"mask": np.full((1, HEIGHT, WIDTH), np.nan)}, "mask has 20 values that are NaN"),
        ],
        4,
    ),
)
def test_an_artifact_refuses_what_there_is_not(name: str, own: Mapping[str, Any], message: str, tmp_path: Path) -> None:
    session = compiled(CASES[name], tmp_path / "score.onnx")
    dtype = np.float32 if "mask" in own else np.int64
    with pytest.raises(InputError, match=message) as raised:
        session.explain({"x": images(1).float().numpy(), **{k: np.asarray(v, dtype) for k, v in own.items()}})
    assert "\n" not in str(raised.value)


OWN = {name: torch.zeros(2, dtype=torch.int64) for name in ("position", "token", "candidate")}


@pytest.mark.parametrize(
    ("score", "form", "own", "message"),
    [
        (Contrast(7), "logits", {}, "class 7 is out of range: the output has 7"),
        (Contrast(), "maps", {}, "Contrast is a score of an output .N, K., and the model's has shape"),
        (LogOdds(-8), "probabilities", {}, "class -8 is out of range"),
        (Value(1), "one", {}, "value 1 is out of range: the output has 1"),
        (Value((1,)), "one", {}, "of 2 axes, and the model's has shape"),
        (Value((1, 4, 0)), "maps", {}, "value 4 is out of range: the output has 4"),
        (Region(1, (0, 5)), "maps", {}, "rows .0, 5. are no part of 4"),
        (Region(1, mask=True), "maps", {}, "Region takes its mask at run time"),
        (Region(1, (0, 2)), "maps", {"mask": torch.ones(2, 4, 5)}, "Region has its mask fixed"),
        (Region(1, mask=True), "maps", {"mask": torch.ones(2, 1, 1)}, "mask of Region has shape .2, 1, 1."),
        (Token(20, 0), "rows", {}, "position 20 is out of range"),
        (Token(0, 7), "rows", {}, "token 7 is out of range"),
        (Token(None, None), "rows", {"position": OWN["position"]}, "Token takes its token at run time"),
        (Continuation(20), "rows", {"tokens": torch.zeros(2, 20, dtype=torch.int64)}, "give 1 to 19 tokens"),
        (Continuation(3), "rows", {"tokens": torch.zeros(2, 1, dtype=torch.int64)}, "tokens of Continuation has shape"),
        (Box(0, 20), "rows", {}, "candidate 20 is out of range: the output has 20"),
        (Box(7, 0), "rows", {}, "class 7 is out of range"),
        (Box.detr(6, 0), "rows", {}, "class 6 is out of range: the output has 6"),
        (Box(0, first=7), "rows", {}, "classes from 7 on, and the output has 7 numbers"),
        (Box(0, 0), "rows", {"candidate": OWN["candidate"]}, "Box has its candidate fixed"),
        (Similarity(), "logits", {"query": torch.ones(2, 1)}, "query of Similarity has shape .2, 1."),
    ],
)
def test_what_a_score_refuses_of_an_output(score: Any, form: str, own: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ScoreError, match=message) as raised:
        fgcompile.full_gradient(head(form), images(2), target=score, score_inputs=own)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Contrast(1.5), "Contrast has index=1.5: give a class by its number"),
        (lambda: Value((1, True)), r"Value has index=\(1, True\)"),
        (lambda: LogOdds(0, 0.5), "from 1e-07 to below 0.5"),
        (lambda: Region(1, (3, 3)), "Region has rows=.3, 3.: give the first"),
        (lambda: Region(1, (0, 2), mask=True), "leave one of them out"),
        (lambda: Token(0, -2), "Token has token=-2"),
        (lambda: Box(0, -2), "Box has candidate=-2"),
        (lambda: Box(axis=3), "Box has axis=3"),
        (lambda: Box(first=4, objectness=4), "give 0 <= objectness < first"),
        (lambda: Box(first=5, objectness=4, background=True), "both say that there is nothing"),
    ],
)
def test_what_no_score_can_be(make: Callable[[], object], message: str) -> None:
    with pytest.raises(FgcompileError, match=message):
        make()


@pytest.mark.parametrize("score", [LogOdds(1), Box(1, axis=2, probabilities=True)])
def test_logits_are_no_probabilities(score: LogOdds | Box) -> None:
    logits = torch.full((2, 3), 1.5) if isinstance(score, LogOdds) else torch.full((2, 3, 4), 1.5)
    with pytest.raises(ScoreError, match="a score of probabilities, and the model's output has 1") as caught:
        score.own_inputs(logits)
    assert isinstance(score, LogOdds) or "of logits give it probabilities=False" in str(caught.value)
