"""Targets at run time of outputs of any rank, and several in one call: each as alone, and as eager autograd has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import SymInt, Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError, ScoreError
from fgcompile.runtime.session import Session, open_session
from fgcompile.serving.admission import Limits, admit
from tests.support.sweeps import few, quick

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
COUNT = 3


class Tagger(nn.Module):
    """Classes ``(N, L, K)`` of each token of a text, by attention."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(11, 8), nn.Parameter(torch.randn(5, 8))
        self.block, self.head = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), nn.Linear(8, 4)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.block(self.words(ids) + self.places))


class Steps(nn.Module):
    """Classes ``(N, L, K)`` of each step of a recurrence, whose batch is on the second axis."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.head = nn.GRU(3, 5), nn.Linear(5, 3)

    def forward(self, sequence: Tensor) -> Tensor:
        hidden, _ = self.steps(sequence)
        return self.head(hidden).transpose(0, 1)


@dataclass(frozen=True)
class Kind:
    """A network, what it takes for two samples, and the sizes of its output behind the batch."""

    build: Any
    example: Tensor
    sizes: tuple[int, ...]
    axes: tuple[str, ...]
    batch_axis: int = 0
    layouts: tuple[tuple[str, str], ...] = ()


def _classifier() -> nn.Module:
    stem = (nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 6, 3), nn.ReLU())
    return nn.Sequential(*stem, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 5))


def _segmenter() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), nn.ReLU(), nn.Conv2d(6, 4, 3, padding=1))


KINDS = {
    "classifier": Kind(_classifier, torch.randn(2, 3, 8, 8), (5,), ("class",)),
    "segmenter": Kind(_segmenter, torch.randn(2, 3, 6, 7), (4, 6, 7), ("class", "height", "width")),
    "tagger": Kind(Tagger, torch.randint(0, 11, (2, 5)), (5, 4), ("length", "class")),
    "steps": Kind(Steps, torch.randn(4, 2, 3), (4, 3), ("length", "class"), 1, (("sequence", "l n c"),)),
}
RANDOM = np.random.default_rng(0)


@cache
def model(kind: str) -> nn.Module:
    torch.manual_seed(0)
    return KINDS[kind].build().eval()  # type: ignore[no-any-return]


@cache
def session(kind: str, targets: Any, format: str, rules: str = "taylor", target: str | None = None) -> Session:
    of = KINDS[kind]
    outputs = [name for name in OUTPUTS if name != "input_gradient" or of.example.is_floating_point()]
    artifact = fgcompile.compile(
        model(kind),
        of.example,
        targets=targets,
        target=target,
        format=format,
        rules=rules,
        outputs=outputs,
        layouts=dict(of.layouts),
    )
    return open_session(artifact.content, artifact.metadata, "the artifact")


def given(kind: str, batch: int) -> NDArray[Any]:
    of = KINDS[kind]
    shape = list(of.example.shape)
    shape[of.batch_axis] = batch
    if of.example.is_floating_point():
        return RANDOM.standard_normal(shape).astype(np.float32)
    return RANDOM.integers(0, 11, shape)


def questions(kind: str, batch: int) -> NDArray[np.int64]:
    """Random elements; of the first sample the largest of all too, of every sample the largest of a row."""
    sizes = KINDS[kind].sizes
    targets = np.stack([RANDOM.integers(0, size, (batch, COUNT)) for size in sizes], -1)
    targets[:, 1, -1] = -1
    targets[0, 2] = -1
    return targets[..., 0] if len(sizes) == 1 else targets


def eager(kind: str, x: NDArray[Any], target: NDArray[np.int64]) -> tuple[NDArray[Any] | None, NDArray[Any]]:
    """``∂f/∂x`` and ``f`` of the elements by plain autograd, in float64."""
    of, network = KINDS[kind], model(kind)
    network.double()
    try:
        tensor = torch.from_numpy(x).double().requires_grad_() if x.dtype.kind == "f" else torch.from_numpy(x)
        output = network(tensor)
        indices = target.reshape(len(target), len(of.sizes))
        score = torch.stack([output[(n, *row)] for n, row in enumerate(indices.tolist())])
        gradient = torch.autograd.grad(score.sum(), tensor)[0].numpy() if x.dtype.kind == "f" else None
        return gradient, score.detach().numpy()
    finally:
        network.float()


@pytest.mark.parametrize(("kind", "format"), few(product(KINDS, SUFFIXES), 1))
def test_several_targets_are_each_as_alone_and_as_autograd_has_it(kind: str, format: str) -> None:
    if format == "pt2" and kind in ("segmenter", "steps"):
        pytest.skip("the other kinds go through AOTInductor")
    alone, together = session(kind, None, format), session(kind, COUNT, format)
    for batch in (1, 2, 5):
        x, targets = given(kind, batch), questions(kind, batch)
        explained = together.explain(x, targets)
        assert explained.saliency is not None
        assert explained.saliency.shape[:3] == (batch, COUNT, 1)
        for number in range(COUNT):
            one = alone.explain(x, targets[:, number])
            assert one.target is not None
            assert explained.target is not None
            assert np.array_equal(one.target, explained.target[:, number])
            _assert_same(one, explained, number, KINDS[kind].batch_axis)
            gradient, score = eager(kind, x, one.target)
            assert explained.contributions is not None
            np.testing.assert_allclose(explained.contributions[:, number].sum(-1), score, rtol=1e-4, atol=1e-5)
            if gradient is not None:
                np.testing.assert_allclose(one.input_gradient, gradient, rtol=1e-3, atol=1e-5)


def _assert_same(one: Any, several: Any, number: int, batch_axis: int) -> None:
    for name in ("saliency", "contributions", "residual"):
        alone, together = getattr(one, name), getattr(several, name)[:, number]
        np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5, err_msg=name)
    if isinstance(one.input_gradient, np.ndarray):
        together = np.take(several.input_gradient, number, batch_axis + 1)
        np.testing.assert_allclose(together, one.input_gradient, rtol=1e-4, atol=1e-5)
    for name, value in one.bias_gradients.items():
        np.testing.assert_allclose(several.bias_gradients[name][:, number], value, rtol=1e-4, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("kind", quick(["segmenter", "tagger"], "segmenter"))
def test_any_number_of_targets_are_each_as_alone(kind: str) -> None:
    alone, together = session(kind, None, "onnx"), session(kind, "dynamic", "onnx")
    assert together.metadata["targets"] == "dynamic"
    for batch, count in ((1, 1), (2, 5), (5, 2)):
        x, targets = given(kind, batch), questions(kind, batch)[:, [0, 1, 2, 1, 0][:count]]
        explained = together.explain(x, targets)
        for number in range(count):
            _assert_same(alone.explain(x, targets[:, number]), explained, number, 0)
    assert together.explain(x).target.shape == (5, 1, len(KINDS[kind].sizes))  # type: ignore[union-attr]


@pytest.mark.slow
def test_several_targets_under_libragrad_are_each_as_alone() -> None:
    alone, together = session("tagger", None, "onnx", "libragrad"), session("tagger", COUNT, "onnx", "libragrad")
    x, targets = given("tagger", 2), questions("tagger", 2)
    explained = together.explain(x, targets)
    for number in range(COUNT):
        _assert_same(alone.explain(x, targets[:, number]), explained, number, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", quick(["classifier", "tagger"], "classifier"))
def test_the_largest_are_explained_in_descending_order(kind: str) -> None:
    x = given(kind, 3)
    explained = session(kind, COUNT, "onnx", target="predicted").explain(x)
    assert explained.logits is not None
    assert explained.target is not None
    ordered = np.argsort(-explained.logits.reshape(3, -1), 1)[:, :COUNT]
    places = np.stack(np.unravel_index(ordered, KINDS[kind].sizes), -1)
    assert np.array_equal(explained.target.reshape(places.shape), places)
    for number in range(COUNT):
        one = session(kind, None, "onnx").explain(x, explained.target[:, number])
        _assert_same(one, explained, number, 0)


def test_without_a_target_the_largest_are_explained() -> None:
    x = given("classifier", 2)
    explained = session("classifier", COUNT, "onnx").explain(x)
    predicted = session("classifier", COUNT, "onnx", target="predicted").explain(x)
    assert np.array_equal(explained.target, predicted.target)  # type: ignore[arg-type]
    np.testing.assert_allclose(explained.saliency, predicted.saliency, rtol=1e-4, atol=1e-5)


class Twins(nn.Module):
    """Classes of which two are the same three times."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)[:, [0, 1, 0, 1, 0, 2]]


@pytest.mark.parametrize("format", ["onnx", "torchscript"])
def test_of_equals_the_first_are_explained(format: str) -> None:
    network, x = Twins().eval(), torch.randn(5, 4)
    artifact = fgcompile.compile(network, x, targets=4, target="predicted", format=format, outputs=OUTPUTS)
    explained = open_session(artifact.content, artifact.metadata, "the artifact").explain(x.numpy())
    assert explained.target is not None
    order = [sorted(range(6), key=lambda place, row=row: (-row[place], place)) for row in network(x).tolist()]  # type: ignore[misc]
    assert explained.target.tolist() == [each[:4] for each in order]
    rows = network.layer.weight.detach()[torch.tensor([0, 1, 0, 1, 0, 2])]
    torch.testing.assert_close(torch.from_numpy(explained.input_gradient), rows[torch.from_numpy(explained.target)])


@pytest.mark.slow
def test_dynamic_sizes_bound_the_targets_of_a_call() -> None:
    artifact = fgcompile.compile(model("segmenter"), torch.randn(1, 3, 8, 8), dynamic_sizes=True)
    loaded, x = (
        open_session(artifact.content, artifact.metadata, "the artifact"),
        RANDOM.random((1, 3, 9, 12), np.float32),
    )
    for target in ([3, 8, 11], [0, 8, -1]):
        assert loaded.explain(x, target).saliency.any()  # type: ignore[union-attr]
    for target, message in (([0, 9, 0], "height an index from 0 to 8"), ([0, 0, 12], "width an index from 0 to 11")):
        with pytest.raises(InputError, match=rf"target .* is out of range: give as {message}"):
            loaded.explain(x, target)
        # What reaches the graph all the same selects nothing: not the element at which the places of another row begin.
        assert not loaded._backend.run({"x": x, "target": np.array([target])})["saliency"].any()


@pytest.mark.slow
def test_noisy_copies_have_several_targets_too() -> None:
    options: dict[str, Any] = {"method": "smooth_fullgrad", "noise": fgcompile.Noise(samples=2)}
    x = given("classifier", 2)
    alone, together = (
        fgcompile.compile(model("classifier"), KINDS["classifier"].example, targets=count, **options)
        for count in (None, 2)
    )
    one, both = (open_session(each.content, each.metadata, "the artifact") for each in (alone, together))
    explained = both.explain(x, [4, -1])
    for number, target in enumerate((4, -1)):
        expected = one.explain(x, target)
        assert explained.saliency is not None
        np.testing.assert_allclose(explained.saliency[:, number], expected.saliency, rtol=1e-4, atol=1e-6)


def test_on_demand_several_targets_are_empty_where_nothing_is_explained(tmp_path: Path) -> None:
    artifact = fgcompile.compile(model("classifier"), KINDS["classifier"].example, targets=2, on_demand=True)
    artifact.save(tmp_path / "a.onnx")
    loaded, x = fgcompile.load(tmp_path / "a.onnx"), given("classifier", 2)
    assert np.allclose(loaded.predict(x), loaded.explain(x, [0, 1]).logits, atol=1e-5)
    feeds = {"x": x, "target": np.zeros((2, 2), np.int64), "explain": np.array(False)}
    assert loaded.run(feeds)["saliency"].size == 0


def test_verify_passes_an_artifact_of_several_targets(tmp_path: Path) -> None:
    path = tmp_path / "several.onnx"
    fgcompile.compile(model("segmenter"), KINDS["segmenter"].example, targets=2).save(path)
    assert fgcompile.verify(path, model("segmenter"), torch.from_numpy(given("segmenter", 3))).passed


@pytest.mark.parametrize("kind", quick(KINDS, "classifier"))
def test_metadata_say_what_each_index_is(kind: str) -> None:
    of, metadata = KINDS[kind], session(kind, COUNT, "onnx").metadata
    described = [{"name": name, "size": size} for name, size in zip(of.axes, of.sizes, strict=True)]
    assert metadata["target_axes"] == described
    assert metadata["targets"] == COUNT
    target = next(spec for spec in metadata["inputs"] if spec["name"] == "target")
    rank = [len(of.sizes)] if len(of.sizes) > 1 else []
    assert (target["dtype"], target["shape"]) == ("int64", ["batch", COUNT, *rank])


@pytest.mark.parametrize(
    ("kind", "targets", "target", "message"),
    [
        ("classifier", None, [[1, 2]], r"target has shape \(1, 2\): give an int or one class per sample, shape \(2,\)"),
        ("classifier", COUNT, 1, r"target has shape \(\): give 3 classes per sample, shape \(2, 3\)"),
        ("classifier", "dynamic", 1, r"target has shape \(\): give any number of classes per sample, shape \(2, T\)"),
        ("classifier", "dynamic", [], r"target is empty: give an int or an integer array of shape \(2, T\)"),
        ("classifier", "dynamic", np.zeros((2, 0), np.int64), r"target has shape \(2, 0\): give any number of classes"),
        ("classifier", COUNT, [0, 1, 5], "target 5 is out of range: give a class from 0 to 4, or -1 for the predicted"),
        ("tagger", None, 3, r"give the indices \(length, class\) per sample, shape \(2, 2\)"),
        ("tagger", None, [5, 0], r"target \(5, 0\) is out of range: give as length an index from 0 to 4"),
        ("tagger", None, [-1, 0], r"target \(-1, 0\) is out of range: .* -1 in all for the largest of all"),
        ("tagger", None, [0, -2], r"target \(0, -2\) is out of range: give as class an index from 0 to 3, or -1 for"),
        ("tagger", COUNT, [[0, 0], [1, 1]], r"target has shape \(2, 2\): give 3 \(length, class\) per sample"),
        ("tagger", COUNT, [[0, 0], [1, 1], [2]], "target is no array: give 3"),
        ("segmenter", None, [0.5, 1, 1], "target has 0.5: give an int or an integer array"),
    ],
)
def test_what_is_no_element_is_refused_by_name(kind: str, targets: Any, target: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as raised:
        session(kind, targets, "onnx").explain(given(kind, 2), target)
    assert "\n" not in str(raised.value)


def test_a_server_takes_targets_of_any_rank_and_checks_them() -> None:
    metadata, x = session("tagger", COUNT, "onnx").metadata, given("tagger", 2)
    targets = questions("tagger", 2)
    name = metadata["inputs"][0]["name"]
    assert np.array_equal(admit({name: x, "target": targets.astype(np.int32)}, metadata, Limits())["target"], targets)
    assert list(admit({name: x}, metadata, Limits())) == [name]
    with pytest.raises(InputError, match="out of range"):
        admit({name: x, "target": targets + 50}, metadata, Limits())


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"targets": 6}, InputError, "targets is 6, and the model's output has 5 values for a sample"),
        ({"targets": 6, "target": "predicted"}, InputError, "targets is 6, and the model's output has 5 values"),
        ({"targets": "dynamic", "target": "predicted"}, InputError, "explains as many as were compiled: give T"),
        ({"targets": "dynamic", "method": "smooth_fullgrad"}, InputError, "has noise for as many as were compiled"),
        ({"targets": 2, "target": 3}, InputError, "targets=2 is for several elements of the output"),
        ({"targets": 2, "target": lambda y: y[:, 0]}, InputError, "the target is a function"),
    ],
)
def test_more_than_there_is_or_a_fixed_one_is_refused(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        fgcompile.compile(model("classifier"), KINDS["classifier"].example, **options)


def test_a_fixed_class_of_an_output_of_more_axes_is_refused() -> None:
    with pytest.raises(ScoreError, match="leave target out, to give an index for each axis at run time"):
        fgcompile.compile(model("segmenter"), KINDS["segmenter"].example, target=1)


def test_labels_of_an_output_of_more_axes_are_those_of_one() -> None:
    names = ["sky", "road", "car", "tree"]
    artifact = fgcompile.compile(model("segmenter"), KINDS["segmenter"].example, labels=names)
    assert artifact.metadata["labels"] == names
    with pytest.raises(InputError, match=r"there are 3 labels, and no axis of the output \(N, 4, 6, 7\) is as long"):
        fgcompile.compile(model("segmenter"), KINDS["segmenter"].example, labels=names[:3])


def test_eager_full_gradients_take_an_index_for_each_axis() -> None:
    x, target = torch.randn(2, 3, 6, 7).double(), torch.tensor([[0, 5, 6], [3, 2, -1]])
    network = _segmenter().double().eval()
    terms = fgcompile.full_gradient(network, x, target)
    assert terms.completeness_error.max() < 1e-12
    assert terms.target is not None
    assert terms.target[0].tolist() == [0, 5, 6]
    assert terms.target[1, 2] == network(x)[1, 3, 2].argmax()
    with pytest.raises(InputError, match=r"target \(4, 0, 0\) is out of range: give as axis 1 an index from 0 to 3"):
        fgcompile.full_gradient(network, x, torch.tensor([4, 0, 0]))


@pytest.mark.parametrize("kind", few(KINDS, 1))
def test_the_model_is_computed_once_for_all_targets(kind: str) -> None:
    of = KINDS[kind]
    one, several = (fuse(model(kind), of.example, targets=count, layouts=dict(of.layouts)) for count in (None, COUNT))
    for operator in ("convolution", "addmm", "_softmax", "argmax", "tanh", "sigmoid", "rsqrt"):
        calls = [_calls(program.graph_module, operator) for program in (one, several)]
        assert calls[0] == calls[1], operator
    # What is left in rows of all that does not depend on the target are values that are repeated for its gradients.
    graph = several.graph_module.graph
    rows = [node for node in graph.nodes if _is_of_rows(node, COUNT) and not _depends(node, "target")]
    repeating = {"expand", "reshape", "clone", "permute", "transpose", "unsqueeze"}
    assert {node.target.name().partition("::")[2].partition(".")[0] for node in rows} <= repeating


def _calls(graph_module: Any, operator: str) -> int:
    calls = [node for node in graph_module.graph.nodes if f".{operator}." in str(node.target)]
    return sum(not _depends(node, "target") for node in calls)


def _depends(node: Any, name: str) -> bool:
    pending, seen = [node], set()
    while pending:
        each = pending.pop()
        if each.op == "placeholder" and each.target == name:
            return True
        if each not in seen:
            seen.add(each)
            pending.extend(source for source in each.all_input_nodes if not isinstance(source.meta.get("val"), SymInt))
    return False


def _is_of_rows(node: Any, count: int) -> bool:
    value = node.meta.get("val")
    multiples = [str(size).partition("*") for size in value.shape] if isinstance(value, Tensor) else []
    return isinstance(node.target, OpOverload) and any(
        star and factor.isdigit() and int(factor) % count == 0 for factor, star, _ in multiples
    )


class Rows(nn.Module):
    """Logits whose rows are made something else of."""

    def __init__(self, form: Any) -> None:
        super().__init__()
        self.layer, self.form = nn.Linear(3, 4), form

    def forward(self, x: Tensor) -> Tensor:
        return self.form(self.layer(x))  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("form", "message"),
    [
        (lambda y: torch.cat([y, y]), r"has shape \('2\*batch', 4\), not one row for each sample"),
        (lambda y: nn.functional.pad(y, (0, 0, 1, 0)), r"has shape \('batch \+ 1', 4\), not one row for each sample"),
        (lambda y: y[:, :, None].transpose(0, 1), r"has shape \(4, 'batch', 1\), .* its batch is on another axis"),
    ],
)
def test_an_output_without_a_row_for_each_sample_is_refused(form: Any, message: str) -> None:
    with pytest.raises(ScoreError, match=message):
        fgcompile.compile(Rows(form).eval(), torch.randn(2, 3))
