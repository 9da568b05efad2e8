"""Artifacts that are exported programs: modules among others, and what a session makes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.errors import ArtifactError, InputError

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient")


def network() -> nn.Module:
    torch.manual_seed(1)
    front = [nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU()]
    return nn.Sequential(*front, nn.AvgPool2d(2), nn.Flatten(), nn.Linear(64, 5)).eval()


@pytest.fixture(scope="module")
def artifact() -> Any:
    return fgcompile.compile(network(), torch.randn(2, 3, 8, 8), format="exported", outputs=OUTPUTS)


def explained(x: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Logits, and the gradient of one of each sample's, by autograd."""
    x = x.clone().requires_grad_()
    logits = network()(x)
    (gradient,) = torch.autograd.grad(logits.gather(1, classes[:, None]).sum(), x)
    return logits.detach(), gradient


@pytest.mark.parametrize("samples", [1, 2, 5])
def test_it_is_a_module_that_explains_each_samples_predicted_class(artifact: Any, samples: int) -> None:
    explainer, x = artifact.module(), torch.randn(samples, 3, 8, 8)
    found = dict(zip(OUTPUTS, explainer(x), strict=True))
    logits, gradient = explained(x, network()(x).argmax(1))
    assert relative_difference(found["logits"], logits) < 1e-6
    assert relative_difference(found["input_gradient"], gradient) < 1e-6
    assert found["residual"].abs().max() < 1e-6
    assert not any(True for _ in explainer.parameters())


def test_a_class_may_be_given_by_position_or_name_and_wrong_calls_are_named(artifact: Any) -> None:
    explainer, x, classes = artifact.module(), torch.randn(3, 3, 8, 8), torch.tensor([4, 0, 2])
    _, gradient = explained(x, classes)
    for found in (explainer(x, classes), explainer(x=x, target=classes)):
        assert relative_difference(found[4], gradient) < 1e-6
    with pytest.raises(InputError, match="'x' is missing: the inputs are x, target"):
        explainer(target=classes)
    with pytest.raises(InputError, match="y is given twice, or is no input"):
        explainer(x, y=x)
    with pytest.raises(InputError, match="x is given twice"):
        explainer(x, x=x)
    with pytest.raises(InputError, match="input 3 is given twice, or is no input"):
        explainer(x, classes, classes)


def test_it_moves_with_what_it_makes_while_computing(artifact: Any) -> None:
    explainer = artifact.module().to("meta")
    found = explainer(torch.randn(3, 3, 8, 8, device="meta"))
    assert {value.device.type for value in found} == {"meta"}
    assert found[1].shape == (3, 1, 8, 8)


def test_torch_compile_takes_it(artifact: Any) -> None:
    explainer, x = artifact.module(), torch.randn(2, 3, 8, 8)
    compiled = torch.compile(explainer, backend="aot_eager")
    for found, expected in zip(compiled(x), explainer(x), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_file_serves_verifies_and_is_read_without_fgcompile(artifact: Any, tmp_path: Path) -> None:
    path, x = tmp_path / "model.pt2", torch.randn(2, 3, 8, 8)
    artifact.save(path)
    explanation = fgcompile.load(path).explain(x.numpy())
    expected = artifact.module()(x)
    np.testing.assert_array_equal(explanation.saliency, expected[1])
    assert fgcompile.verify(path, network(), x).passed
    alone = torch.export.load(str(path)).module()(x, torch.full((2,), -1))
    torch.testing.assert_close(alone[1], expected[1])
    with pytest.raises(InputError, match="is not a name for an artifact in exported"):
        artifact.save(tmp_path / "model.pt")
    (tmp_path / "model.pt").write_bytes(artifact.content)
    with pytest.raises(ArtifactError, match="is exported, and its name says torchscript"):
        fgcompile.load(tmp_path / "model.pt")


def test_the_same_twice(artifact: Any) -> None:
    torch.manual_seed(0)
    again = fgcompile.compile(network(), torch.randn(2, 3, 8, 8), format="exported", outputs=OUTPUTS)
    assert again.content == artifact.content


def test_biases_and_several_targets() -> None:
    x = torch.randn(2, 3, 8, 8)
    options: dict[str, Any] = {"format": "exported", "biases": "inputs", "targets": 2}
    explainer = fgcompile.compile(network(), x, outputs=("logits", "input_gradient"), **options).module()
    with pytest.raises(InputError, match="'target' is missing"):
        explainer(x)
    classes = torch.tensor([[1, 3], [0, 4]])
    logits, gradients = explainer(x, classes)
    for index in range(2):
        expected, gradient = explained(x, classes[:, index])
        assert relative_difference(logits, expected) < 1e-6
        assert relative_difference(gradients[:, index], gradient) < 1e-6
    bias = next(name for name in explainer._names if name not in ("x", "target"))
    moved, _ = explainer(x, classes, **{bias: explainer.get_buffer(explainer._defaults[bias]) + 1})
    assert relative_difference(moved, logits) > 1e-3


def test_open_sizes_that_are_computed_with() -> None:
    """Pooling over all places asks for the sizes' ranges when the program is loaded."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)]
    model = nn.Sequential(*layers).eval()
    options: dict[str, Any] = {"format": "exported", "dynamic_sizes": True, "outputs": ("logits", "input_gradient")}
    explainer = fgcompile.compile(model, torch.zeros(2, 1, 8, 8), **options).module()
    for shape in ((1, 1, 8, 8), (3, 1, 20, 11), (2, 1, 5, 6)):
        x = torch.randn(shape, requires_grad=True)
        logits, gradient = explainer(x.detach())
        expected = model(x)
        (right,) = torch.autograd.grad(expected.amax(1).sum(), x)
        assert relative_difference(logits, expected.detach()) < 1e-6
        assert relative_difference(gradient, right) < 1e-6


def test_what_does_not_go_with_it_is_refused() -> None:
    with pytest.raises(InputError, match="on_demand=True and format='exported'"):
        fgcompile.compile(network(), torch.randn(2, 3, 8, 8), format="exported", on_demand=True)
    with pytest.raises(InputError, match=r"the artifact is onnx, no module: compile with format='exported'"):
        fgcompile.compile(network(), torch.randn(2, 3, 8, 8)).module()
