"""Inputs and outputs whose batch is not in front: what an artifact takes and returns is the user's, axis by axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import InputError, ScoreError
from fgcompile.serving.admission import Limits, admit
from fgcompile.serving.triton.configuration import Deployment, choose_runtime, configure
from tests.support.sweeps import few, quick

LENGTH, WIDTH, CLASSES = 4, 3, 3
LAYOUTS = {"sequence": "l n c", "state": "c n c"}
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient")


class Recurrent(nn.Module):
    """A recurrence over ``(L, N, C)`` that begins at a state ``(1, N, H)``."""

    def __init__(self) -> None:
        super().__init__()
        self.steps, self.head = nn.RNN(WIDTH, 5), nn.Linear(5, CLASSES)

    def forward(self, sequence: Tensor, state: Tensor) -> Tensor:
        hidden, _ = self.steps(sequence, state)
        return self.head(hidden[-1])


class InFront(nn.Module):
    """The same with the batch in front of all that it takes, by hand."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, sequence: Tensor, state: Tensor) -> Tensor:
        return self.model(sequence.transpose(0, 1), state.transpose(0, 1))


class Tagger(nn.Module):
    """Scores ``(L, N, K)`` of ids ``(L, N)``, each position a part of the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        words = self.words(ids)
        return self.head((words + words.mean(0)).tanh())


def built(model: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.7)
    return model.eval()


def samples(batch: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(batch)
    return torch.randn(LENGTH, batch, WIDTH, generator=generator), torch.randn(1, batch, 5, generator=generator)


def autograd(model: nn.Module, inputs: tuple[Tensor, ...], target: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Logits and gradients of eager autograd in float64."""
    leaves = [value.double().requires_grad_() for value in inputs]
    logits = model.double()(*leaves)
    gradients = torch.autograd.grad(logits[:, target].sum(), leaves)
    model.float()
    return logits.detach().numpy(), [gradient.numpy() for gradient in gradients]


@pytest.mark.parametrize("artifact_format", quick(["onnx", "torchscript", "pt2"], "onnx"))
def test_values_and_gradients_are_eager_autograds(artifact_format: Any, tmp_path: Path) -> None:
    model, path = built(Recurrent()), tmp_path / f"net{SUFFIXES[artifact_format]}"
    artifact = fgcompile.compile(model, samples(2), layouts=LAYOUTS, outputs=OUTPUTS, format=artifact_format)
    artifact.save(path)
    shapes = {spec["name"]: spec["shape"] for spec in (*artifact.metadata["inputs"], *artifact.metadata["outputs"])}
    assert shapes["sequence"] == shapes["input_gradient.sequence"] == [LENGTH, "batch", WIDTH]
    assert shapes["state"] == [1, "batch", 5]
    assert shapes["saliency"] == ["batch", 1, LENGTH]
    session = fgcompile.load(path)
    for batch in (1, 2, 5):
        inputs = samples(batch)
        logits, gradients = autograd(model, inputs, 1)
        explanation = session.explain(tuple(value.numpy() for value in inputs), target=1)
        np.testing.assert_allclose(explanation.logits, logits, rtol=1e-5, atol=1e-5)
        for actual, expected in zip(explanation.input_gradient, gradients, strict=True):
            np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(explanation.contributions.sum(1), logits[:, 1], rtol=1e-5, atol=1e-5)
        assert explanation.saliency.shape == (batch, 1, LENGTH)
    assert fgcompile.verify(
        path, model, {name: value.numpy() for name, value in zip(LAYOUTS, samples(3), strict=True)}
    ).passed


def test_the_map_is_that_of_a_model_with_the_batch_in_front(tmp_path: Path) -> None:
    model = built(Recurrent())
    fgcompile.compile(model, samples(2), layouts=LAYOUTS, psi="signed").save(tmp_path / "there.onnx")
    front = tuple(value.transpose(0, 1) for value in samples(2))
    layouts = {"sequence": "n l c", "state": "none"}
    fgcompile.compile(InFront(model).eval(), front, layouts=layouts, psi="signed").save(tmp_path / "front.onnx")
    inputs = samples(5)
    there = fgcompile.load(tmp_path / "there.onnx").explain(tuple(value.numpy() for value in inputs))
    moved = tuple(value.transpose(0, 1).contiguous().numpy() for value in inputs)
    np.testing.assert_allclose(
        there.saliency, fgcompile.load(tmp_path / "front.onnx").explain(moved).saliency, rtol=1e-5, atol=1e-6
    )


def test_the_eager_full_gradient_has_the_users_axes() -> None:
    model, inputs = built(Recurrent()).double(), tuple(value.double() for value in samples(5))
    terms = fgcompile.full_gradient(model, inputs, target=2, layouts=LAYOUTS)
    _, expected = autograd(model, inputs, 2)
    for actual, gradient in zip(terms.input_gradient, expected, strict=True):
        np.testing.assert_allclose(actual, gradient, rtol=1e-10, atol=1e-10)
    assert terms.relative_completeness_error.max() < 1e-10


SMOOTH = {"method": "smooth_fullgrad", "noise": fgcompile.Noise(samples=LENGTH - 1, spread=0.1)}
"""As many copies of a sample as it has positions."""


@pytest.mark.parametrize("options", few([{}, {"on_demand": True}, {"format": "torchscript"}], 2), ids=str)
def test_an_output_may_have_its_batch_elsewhere(options: dict[str, Any], tmp_path: Path) -> None:
    model, ids = built(Tagger()), torch.randint(9, (LENGTH, 2), generator=torch.Generator().manual_seed(0))
    path = tmp_path / ("net.pt" if options.get("format") else "net.onnx")
    artifact = fgcompile.compile(
        model,
        ids,
        layouts={"x": "l n"},
        target=lambda scores: scores[-1, :, 1],
        outputs=("logits", "saliency", "contributions"),
        **options,
    )
    artifact.save(path)
    ids_spec = artifact.metadata["inputs"][0]
    assert (ids_spec["name"], ids_spec["shape"]) == ("x", [LENGTH, "batch"])
    assert artifact.metadata["outputs"][0]["shape"] == [LENGTH, "batch", CLASSES]
    session = fgcompile.load(path)
    for batch in (1, 2, 5):
        given = torch.randint(9, (LENGTH, batch), generator=torch.Generator().manual_seed(batch))
        expected = model(given).detach()
        explanation = session.explain(given.numpy())
        torch.testing.assert_close(torch.from_numpy(explanation.logits), expected, rtol=1e-5, atol=1e-5)
        total = torch.from_numpy(explanation.contributions).sum(1)
        torch.testing.assert_close(total, expected[-1, :, 1], rtol=1e-5, atol=1e-5)
        assert explanation.saliency.shape == (batch, 1, LENGTH)
        np.testing.assert_allclose(session.predict(given.numpy()), expected.numpy(), rtol=1e-5, atol=1e-5)
    with pytest.raises(InputError, match=r"has 9 at index \(0, 1\), out of range"):
        session.explain(np.array([[1, 9], *[[0, 0]] * (LENGTH - 1)]))


def test_a_part_of_a_table_that_is_looked_up_keeps_its_range() -> None:
    class Table(nn.Module):
        """Two rows of categories ``(2, N)``, of which one has 3 values and one 5."""

        def __init__(self) -> None:
            super().__init__()
            self.few, self.more, self.head = nn.Embedding(3, 4), nn.Embedding(5, 4), nn.Linear(4, 2)

        def forward(self, rows: Tensor) -> Tensor:
            return self.head((self.few(rows[0]) + self.more(rows[1])).tanh())

    rows = torch.zeros(2, 3, dtype=torch.int64)
    artifact = fgcompile.compile(built(Table()), {"rows": rows}, layouts={"rows": "c n"}, outputs=("logits",))
    sizes = [(axis["size"], axis["part"]) for axis in artifact.metadata["inputs"][0]["indexes"]]
    assert sizes == [(3, [0, 0, 1]), (5, [0, 1, 2])]
    with pytest.raises(InputError, match=r"rows has 3 at index \(0, 1\), out of range: give 0 to 2"):
        admit({"rows": np.array([[0, 3, 0], [4, 4, 4]])}, artifact.metadata, Limits())


def test_noisy_copies_of_a_sequence_first_input(tmp_path: Path) -> None:
    model = built(Recurrent())
    options: dict[str, Any] = {"method": "smooth_fullgrad", "noise": fgcompile.Noise(samples=2, spread=0.0)}
    fgcompile.compile(model, samples(2), layouts=LAYOUTS, outputs=OUTPUTS, **options).save(tmp_path / "net.onnx")
    inputs = samples(5)
    explanation = fgcompile.load(tmp_path / "net.onnx").explain(tuple(value.numpy() for value in inputs), target=0)
    logits, gradients = autograd(model, inputs, 0)  # of which the noisy copies, without noise, are copies
    np.testing.assert_allclose(explanation.logits, logits, rtol=1e-5, atol=1e-5)
    for actual, expected in zip(explanation.input_gradient, gradients, strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-5)


def test_sizes_may_be_dynamic_besides(tmp_path: Path) -> None:
    class Signal(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv1d(2, 4, 3), nn.Linear(4, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.conv(x.transpose(0, 1)).tanh().mean(2))

    model = built(Signal())
    options: dict[str, Any] = {"layouts": {"x": "c n l"}, "dynamic_sizes": True, "outputs": OUTPUTS}
    artifact = fgcompile.compile(model, torch.randn(2, 1, 16), **options)
    artifact.save(tmp_path / "net.onnx")
    assert artifact.metadata["inputs"][0]["shape"] == [2, "batch", "length"]
    assert artifact.metadata["inputs"][0]["example"] == [2, 1, 16]
    for batch, length in ((1, 9), (5, 21)):
        x = torch.randn(2, batch, length, generator=torch.Generator().manual_seed(batch))
        logits, (gradient,) = autograd(model, (x,), 0)
        explanation = fgcompile.load(tmp_path / "net.onnx").explain(x.numpy(), target=0)
        np.testing.assert_allclose(explanation.logits, logits, rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(explanation.input_gradient, gradient, rtol=1e-5, atol=1e-5)
        assert explanation.saliency.shape == (batch, 1, length)


@pytest.mark.slow
def test_noisy_copies_of_outputs_with_their_batch_elsewhere(tmp_path: Path) -> None:
    class Steps(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.steps = nn.RNN(WIDTH, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.steps(x)[0]

    model = built(Steps())
    options: dict[str, Any] = {"layouts": {"x": "l n c"}, "target": lambda scores: scores[-1, :, 1], **SMOOTH}
    fgcompile.compile(model, samples(2)[0], **options).save(tmp_path / "net.onnx")
    for batch in (1, 2, 5):
        x, _ = samples(batch)
        logits = fgcompile.load(tmp_path / "net.onnx").explain(x.numpy()).logits
        np.testing.assert_allclose(logits, model(x).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_servers_count_the_samples_on_their_axis() -> None:
    artifact = fgcompile.compile(built(Recurrent()), samples(2), layouts=LAYOUTS)
    sequence, state = (value.numpy() for value in samples(3))
    target = np.array([0, 1, -1])
    feeds = admit({"sequence": sequence, "state": state, "target": target}, artifact.metadata, Limits(batch=3))
    assert feeds["target"].shape == (3,)
    with pytest.raises(InputError, match="target"):
        admit({"sequence": sequence, "state": state, "target": target[:2]}, artifact.metadata, Limits(batch=3))
    with pytest.raises(InputError, match="sequence has a batch of 3, 2 are allowed"):
        admit({"sequence": sequence, "state": state}, artifact.metadata, Limits(batch=2))
    with pytest.raises(InputError, match="state has batch 2, sequence has 3"):
        admit({"sequence": sequence, "state": state[:, :2]}, artifact.metadata, Limits())
    with pytest.raises(InputError, match=r"add the batch axis, sequence\[:, np.newaxis\]"):
        admit({"sequence": sequence[:, 0], "state": state}, artifact.metadata, Limits())
    deployment = Deployment()
    message = configure(artifact.metadata, choose_runtime(artifact.metadata, "net", deployment), deployment)
    assert message["max_batch_size"] == 0  # Triton puts requests together along the first axis
    assert message["input"][0]["dims"] == [LENGTH, -1, WIDTH]


def test_class_logits_need_the_samples_in_front() -> None:
    class Columns(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.exp().t()

    for explain in (fgcompile.compile, fgcompile.full_gradient):
        with pytest.raises(ScoreError, match=r"shape \(4, 'batch'\), not \(N, K\) class logits, its batch is on anoth"):
            explain(Columns().eval(), torch.randn(2, 4))
        with pytest.raises(ScoreError, match=r"the score has shape \(4,\) whatever the batch"):
            explain(Columns().eval(), torch.randn(2, 4), target=lambda y: y.sum(1))


def test_what_cannot_have_its_batch_elsewhere_is_refused_by_name() -> None:
    class Picture(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.mean((0, 1)).exp()

    picture = torch.randn(4, 4, 2, 3)
    preprocess = fgcompile.Preprocess((0.5,) * 3, (0.5,) * 3)
    with pytest.raises(InputError, match="the batch of 'x' is not in front"):
        fgcompile.compile(Picture().eval(), picture, layouts={"x": "h w n c"}, preprocess=preprocess)
    shapes = {"x": {2: torch.export.Dim("batch")}}
    program = torch.export.export(Picture().eval(), (picture,), dynamic_shapes=shapes)
    with pytest.raises(InputError, match="'x' is not in front, which an exported program's has to be"):
        fgcompile.compile(program, picture, layouts={"x": "h w n c"})
    inputs = (torch.randn(LENGTH, 2, WIDTH), torch.randn(1, 2, 6))
    with pytest.raises(InputError, match=r"does not take inputs of shape \(4, 2, 3\), \(1, 2, 6\)"):
        fgcompile.compile(built(Recurrent()), inputs, layouts=LAYOUTS)
