"""Artifacts for one number of samples: of models that take no free batch, each sample alone, and of those that do."""

from __future__ import annotations

import functools
import io
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import CaptureError, FgcompileError, InputError
from fgcompile.serving.protocol.tensors import describe
from fgcompile.serving.triton.configuration import PYTHON, Deployment, choose_runtime, configure
from tests.support.sweeps import few, quick

CHANNELS, SIDE, CLASSES = 2, 6, 3
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")


class Layers(nn.Module):
    """A convolution, an activation, a pooling and a linear layer, on a batch; the others call it otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(CHANNELS, 4, 3, padding=1), nn.Linear(4, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(nn.functional.gelu(self.conv(x)).mean((2, 3)))


class Looping(Layers):
    """Loops over the samples, each of which loses its batch."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.one(sample) for sample in x])

    def one(self, sample: Tensor) -> Tensor:
        return self.head(nn.functional.gelu(self.conv(sample)).mean((1, 2)))


class Counting(Layers):
    """Loops over the numbers of samples."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([super(Counting, self).forward(x[index : index + 1]) for index in range(x.shape[0])])


class Viewing(Layers):
    """Writes its batch as a number, 1."""

    def forward(self, x: Tensor) -> Tensor:
        y = nn.functional.gelu(self.conv(x)).view(1, 4, -1)
        return self.head(y.mean(2))


class Mixing(Layers):
    """Subtracts the mean of the batch, in a loop over it."""

    def forward(self, x: Tensor) -> Tensor:
        y = torch.stack([super(Mixing, self).forward(sample[None])[0] for sample in x])
        return y - y.mean(0, keepdim=True)


@functools.cache
def built(kind: type[Layers]) -> Layers:
    """The same weights for all of them."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return kind().eval()


@functools.cache
def compiled(kind: type[Layers], batch: int | None, **options: Any) -> fgcompile.Artifact:
    return fgcompile.compile(built(kind), samples(2), batch=batch, **{"outputs": OUTPUTS, **options})


def samples(count: int) -> Tensor:
    return torch.randn(count, CHANNELS, SIDE, SIDE, generator=torch.Generator().manual_seed(count))


def autograd(x: Tensor, target: int) -> tuple[Tensor, Tensor]:
    """Logits and gradient of eager autograd in float64, of the layers on a batch."""
    leaf = x.double().requires_grad_()
    logits = Layers.forward(built(Layers).double(), leaf)
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), leaf)
    built(Layers).float()
    return logits.detach(), gradient


@pytest.mark.parametrize("kind", few([Looping, Counting, Viewing], 1))
def test_a_model_of_no_free_batch_is_captured_for_one_sample(kind: type[Layers]) -> None:
    artifact = compiled(kind, 1)
    assert artifact.metadata["batch"] == {"size": 1, "alone": True}
    x = samples(5)
    explanation = fgcompile.load(artifact).explain(x.numpy(), 2)
    logits, gradient = autograd(x, 2)
    np.testing.assert_allclose(explanation.logits, logits, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    np.testing.assert_allclose(explanation.contributions.sum(1), logits[:, 2], atol=1e-5)
    # The layers on a batch are the same model: their artifact, of a free batch, says the same of each sample.
    free = fgcompile.load(compiled(Layers, None)).explain(x.numpy(), 2)
    np.testing.assert_allclose(explanation.saliency, free.saliency, atol=1e-4)
    np.testing.assert_allclose(explanation.contributions, free.contributions, atol=1e-5)


@pytest.mark.parametrize(("kind", "batch"), [(Looping, 1), (Looping, 3), (Layers, 3)])
def test_a_runtime_of_onnx_takes_and_returns_so_many_samples(kind: type[Layers], batch: int) -> None:
    artifact = compiled(kind, batch)
    session = onnxruntime.InferenceSession(artifact.content, providers=["CPUExecutionProvider"])
    assert {value.shape[0] for value in (*session.get_inputs(), *session.get_outputs())} == {batch}
    x = samples(batch)
    feeds = {"x": x.numpy(), "target": np.full(batch, 1)}
    found = dict(zip([value.name for value in session.get_outputs()], session.run(None, feeds), strict=True))
    logits, gradient = autograd(x, 1)
    np.testing.assert_allclose(found["logits"], logits, atol=1e-5)
    np.testing.assert_allclose(found["input_gradient"], gradient, atol=1e-5)
    free = fgcompile.load(compiled(Layers, None)).explain(x.numpy(), 1)
    np.testing.assert_allclose(found["saliency"], free.saliency, atol=1e-4)
    assert artifact.metadata["batch"] == {"size": batch, "alone": kind is Looping}


@pytest.mark.parametrize("kind", [Looping, Layers])
@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_a_session_takes_any_number_of_samples(kind: type[Layers], count: int) -> None:
    x = samples(count)
    session = fgcompile.load(compiled(kind, 3))
    explanation = session.explain(x.numpy(), list(range(3))[:1] * count)
    logits, gradient = autograd(x, 0)
    assert explanation.saliency.shape == (count, 1, SIDE, SIDE)
    np.testing.assert_allclose(explanation.logits, logits, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    np.testing.assert_allclose(session.predict(x.numpy()), logits, atol=1e-5)


@pytest.mark.parametrize("artifact_format", quick(["torchscript", "exported", "pt2"], "exported"))
@pytest.mark.parametrize(("kind", "batch"), [(Looping, 2), (Layers, 2)])
def test_other_formats_have_the_batch_too(kind: type[Layers], batch: int, artifact_format: str) -> None:
    artifact = compiled(kind, batch, format=artifact_format)
    x = samples(3)
    explanation = fgcompile.load(artifact).explain(x.numpy(), 1)
    logits, gradient = autograd(x, 1)
    np.testing.assert_allclose(explanation.logits, logits, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)


def test_a_module_refuses_another_batch_by_name() -> None:
    module = compiled(Looping, 2, format="exported").module()
    with pytest.raises(InputError, match="'x' has a batch of 3, and this artifact was compiled for a batch of 2"):
        module(samples(3))


def test_torchscript_refuses_another_batch_in_pytorch_itself() -> None:
    module = torch.jit.load(io.BytesIO(compiled(Looping, 2, format="torchscript").content))
    for count in (1, 3):
        with pytest.raises(torch.jit.Error, match="another number of samples"):
            module(samples(count), torch.zeros(count, dtype=torch.int64))


@pytest.mark.parametrize("kind", [Looping, Layers])
def test_several_targets_and_predictions_on_demand(kind: type[Layers]) -> None:
    artifact = compiled(kind, 1, targets=2, on_demand=True, outputs=("logits", "saliency", "input_gradient"))
    session, x = fgcompile.load(artifact), samples(3)
    explanation = session.explain(x.numpy(), [[0, 2]] * 3)
    for place, target in enumerate((0, 2)):
        _, gradient = autograd(x, target)
        np.testing.assert_allclose(explanation.input_gradient[:, place], gradient, atol=1e-5)
    np.testing.assert_allclose(session.predict(x.numpy()), autograd(x, 0)[0], atol=1e-5)
    nothing = session.run({"x": x.numpy(), "explain": np.array(False)})
    assert nothing["saliency"].size == 0


def test_sizes_may_be_dynamic_beside_it() -> None:
    artifact = compiled(Looping, 1, dynamic_sizes=True, outputs=("logits", "saliency", "input_gradient"))
    x = torch.randn(2, CHANNELS, SIDE + 3, SIDE + 1)
    explanation = fgcompile.load(artifact).explain(x.numpy(), 0)
    logits, gradient = autograd(x, 0)
    np.testing.assert_allclose(explanation.logits, logits, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    assert explanation.saliency.shape == (2, 1, SIDE + 3, SIDE + 1)


class Recurrent(nn.Module):
    """Loops over the second axis of ``(L, N, C)``."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.head(x[:, index]).tanh().sum(0) for index in range(x.shape[1])])


def test_the_batch_may_be_on_another_axis() -> None:
    torch.manual_seed(1)
    model, x = Recurrent().eval(), torch.randn(4, 2, 3)
    artifact = fgcompile.compile(
        model, x, batch=1, layouts={"x": "l n c"}, outputs=("logits", "saliency", "input_gradient")
    )
    explanation = fgcompile.load(artifact).explain(x.numpy(), 0)
    leaf = x.clone().requires_grad_()
    logits = model(leaf)
    (gradient,) = torch.autograd.grad(logits[:, 0].sum(), leaf)
    np.testing.assert_allclose(explanation.logits, logits.detach(), atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    assert explanation.saliency.shape == (2, 1, 4)


def test_verification_knows_how_it_was_captured(tmp_path: Path) -> None:
    for kind, batch in ((Looping, 1), (Layers, 2)):
        compiled(kind, batch).save(tmp_path / "artifact.onnx")
        report = fgcompile.verify(tmp_path / "artifact.onnx", built(kind), samples(3))
        assert report.passed, report
    torch.manual_seed(1)
    assert not fgcompile.verify(tmp_path / "artifact.onnx", Layers().eval(), samples(2)).passed


def test_without_a_batch_the_refusal_names_the_way_out() -> None:
    for kind in (Looping, Counting, Viewing):
        with pytest.raises(FgcompileError, match="batch=1"):
            fgcompile.compile(built(kind), samples(2))


def test_samples_that_depend_on_each_other_are_refused() -> None:
    with pytest.raises(CaptureError, match="for a batch of 2 is not that of its samples one by one"):
        fgcompile.compile(built(Mixing), samples(2), batch=2)
    with pytest.raises(CaptureError, match=r"takes no batch of 3|for a batch of 3 is not that"):
        fgcompile.compile(built(Viewing), samples(2), batch=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "batch is 0: give the number of samples of a call"),
        ({"batch": 1, "method": "smooth_fullgrad"}, "smooth_fullgrad computes a batch of noisy copies"),
        ({"batch": 1, "targets": "dynamic"}, "targets='dynamic' computes a batch of any number of targets"),
    ],
)
def test_what_needs_more_rows_is_refused_by_name(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.compile(built(Looping), samples(2), **options)


def test_servers_are_told() -> None:
    metadata = compiled(Looping, 2).metadata
    onnx = configure(metadata, choose_runtime(metadata, "loop", Deployment()), Deployment())
    assert onnx["max_batch_size"] == 0
    assert onnx["input"][0]["dims"] == [2, CHANNELS, SIDE, SIDE]
    python = configure(metadata, PYTHON, Deployment(python=True))
    assert python["max_batch_size"] == Deployment().max_batch
    # A server of fgcompile's takes any number, as a session does.
    assert describe(metadata["inputs"][0])["shape"][0] == -1


def test_an_exported_program_of_one_sample_is_taken_as_it_is() -> None:
    program = torch.export.export(built(Looping), (samples(1),))
    artifact = fgcompile.compile(program, samples(1), batch=1, outputs=("logits", "saliency", "input_gradient"))
    explanation = fgcompile.load(artifact).explain(samples(2).numpy(), 1)
    logits, gradient = autograd(samples(2), 1)
    np.testing.assert_allclose(explanation.logits, logits, atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    with pytest.raises(CaptureError, match=r"fixes the batch size of its input 'x' to 1.*batch=1"):
        fgcompile.compile(program, samples(1))
    several = torch.export.export(built(Looping), (samples(2),))
    with pytest.raises(CaptureError, match="is a program for a batch of 2, which holds no graph of one sample"):
        fgcompile.compile(several, samples(2), batch=2)


class Scalar(nn.Module):
    """A number a sample, computed without a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5))

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([(sample @ self.weight).exp() for sample in x])


def test_a_site_may_be_a_single_number() -> None:
    torch.manual_seed(2)
    model, x = Scalar().eval(), torch.randn(2, 5)
    artifact = fgcompile.compile(
        model, x, target=lambda y: y, batch=1, outputs=("contributions", "input_gradient", "bias_gradients")
    )
    explanation = fgcompile.load(artifact).explain(x.numpy())
    leaf = x.clone().requires_grad_()
    y = model(leaf)
    np.testing.assert_allclose(explanation.contributions.sum(1), y.detach(), rtol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, torch.autograd.grad(y.sum(), leaf)[0], rtol=1e-4, atol=1e-6)


class Pictured(nn.Module):
    """A sentence some of whose words stand for the parts of a picture, as models that see and read have them."""

    PART = 8

    def __init__(self) -> None:
        super().__init__()
        self.see, self.words = nn.Conv2d(CHANNELS, 5, 3, stride=3), nn.Embedding(9, 5)
        self.head = nn.Linear(5, CLASSES)

    def forward(self, ids: Tensor, image: Tensor) -> Tensor:
        seen = torch.cat([self.see(one).flatten(1).T for one in image])
        words = self.words(ids)
        words = words.masked_scatter((ids == self.PART)[..., None], seen)
        context = (words @ words.transpose(1, 2)).softmax(2) @ words
        return self.head((context + words).tanh().mean(1))


def test_a_mask_places_the_parts_of_a_picture_among_words() -> None:
    torch.manual_seed(3)
    model = Pictured().eval()
    ids = torch.tensor([[1, 8, 8, 8, 8, 2, 3], [8, 4, 8, 5, 8, 6, 8]])
    image = samples(2)
    artifact = fgcompile.compile(
        model, {"ids": ids, "image": image}, batch=1, outputs=("logits", "saliency", "contributions", "input_gradient")
    )
    explanation = fgcompile.load(artifact).explain({"ids": ids.numpy(), "image": image.numpy()}, 1)
    leaf = image.double().requires_grad_()
    logits = torch.cat([model.double()(one[None], part[None]) for one, part in zip(ids, leaf, strict=True)])
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), leaf)
    np.testing.assert_allclose(explanation.logits, logits.detach(), atol=1e-5)
    np.testing.assert_allclose(explanation.input_gradient, gradient, atol=1e-5)
    np.testing.assert_allclose(explanation.contributions.sum(1), logits[:, 1].detach(), atol=1e-5)
    assert {name: value.shape for name, value in explanation.saliency_by_input.items()} == {
        "image": (2, 1, SIDE, SIDE),
        "ids": (2, 1, 7),
    }
    # More places than the picture has parts: there is no value for them.
    too_many = np.array([[8, 8, 8, 8, 8, 1, 2]])
    for provider in ("CPUExecutionProvider", *(["OpenVINO"] if find_spec("openvino") else [])):
        session = fgcompile.load(artifact, providers=[provider])
        with pytest.raises(InputError, match="out of range"):
            session.explain({"ids": too_many, "image": image[:1].numpy()}, 1)


class Comparing(Layers):
    """Scores of each sample for each, as a model of pictures and texts has them."""

    def forward(self, x: Tensor) -> Tensor:
        y = super().forward(x)
        return y @ y.T


def test_a_model_that_compares_its_samples_compiles_for_one_alone() -> None:
    torch.manual_seed(4)
    model, x = Comparing().eval(), samples(2)
    with pytest.raises(CaptureError, match=r"depends on the other samples.*batch=1"):
        fgcompile.compile(model, x)
    artifact = fgcompile.compile(model, x, batch=1, outputs=("logits", "input_gradient", "contributions"))
    explanation = fgcompile.load(artifact).explain(x.numpy(), 0)
    leaf = x.clone().requires_grad_()
    logits = torch.cat([model(sample[None]) for sample in leaf])
    np.testing.assert_allclose(explanation.logits, logits.detach(), atol=1e-5)
    np.testing.assert_allclose(
        explanation.input_gradient, torch.autograd.grad(logits.sum(), leaf)[0], atol=1e-5, rtol=1e-4
    )


def test_openvino_takes_it_too(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    compiled(Looping, 2).save(tmp_path / "artifact.onnx")
    x = samples(3)
    explanation = fgcompile.load(tmp_path / "artifact.onnx", ["OpenVINO"]).explain(x.numpy(), 1)
    np.testing.assert_allclose(explanation.logits, autograd(x, 1)[0], atol=1e-5)
