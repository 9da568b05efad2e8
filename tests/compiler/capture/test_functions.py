"""Functions whose backward is the user's own keep it, or are refused by their class's name."""

from __future__ import annotations

import threading

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.functions.record import recording
from fgcompile.errors import FgcompileError
from tests.support.own_backwards import KEPT, Net, Round
from tests.support.refused_backwards import REFUSED
from tests.support.sweeps import few


@pytest.mark.parametrize("name", few(KEPT, 6))
def test_the_gradient_is_eager_autograds(name: str) -> None:
    torch.manual_seed(0)
    model, x = Net(KEPT[name]).eval().double(), torch.randn(2, 3, 5, 5, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x)
    leaf = x.clone().requires_grad_()
    output = model(leaf)
    output.amax(1).sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(terms.input_gradient, leaf.grad, rtol=1e-10, atol=1e-14)
    torch.testing.assert_close(terms.output, output.detach())
    assert terms.relative_completeness_error.max() < 1e-12


def test_the_bias_is_what_the_linear_map_leaves() -> None:
    """Of straight-through rounding, the rounding error times the gradient."""
    torch.manual_seed(0)
    model, x = Net(KEPT["straight_through"]).eval().double(), torch.randn(1, 3, 5, 5, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x)
    a = model.first(x).detach()
    y = Round.apply(a).requires_grad_()
    (gradient,) = torch.autograd.grad(model.last(y.tanh().mean((2, 3))).amax(1).sum(), y)
    torch.testing.assert_close(terms.bias_gradients["Round.own_backward"], gradient * (y.detach() - a))


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_kept_is_refused(name: str) -> None:
    middle, words = REFUSED[name]
    torch.manual_seed(0)
    with pytest.raises(FgcompileError, match=words):
        fgcompile.full_gradient(Net(middle).eval(), torch.randn(2, 3, 5, 5))


@pytest.mark.parametrize(
    ("format", "name"),
    [("onnx", "clipped_sign"), ("torchscript", "clipped_sign"), ("onnx", "convolution_of_the_gradient")],
)
@pytest.mark.filterwarnings("ignore")
def test_artifacts_have_it_too(format: str, name: str, tmp_path: object) -> None:
    torch.manual_seed(0)
    model, x = Net(KEPT[name]).eval(), torch.randn(2, 3, 5, 5)
    outputs = ("logits", "saliency", "input_gradient")
    artifact = fgcompile.compile(model, x[:1], format=format, outputs=outputs)  # type: ignore[arg-type]
    path = f"{tmp_path}/a{'.onnx' if format == 'onnx' else '.pt'}"
    artifact.save(path)
    found = fgcompile.load(path).explain(x.numpy())
    leaf = x.clone().requires_grad_()
    model(leaf).amax(1).sum().backward()
    assert leaf.grad is not None
    torch.testing.assert_close(torch.as_tensor(found.input_gradient), leaf.grad, rtol=1e-4, atol=1e-6)


def test_other_threads_call_functions_as_ever() -> None:
    results = []

    def elsewhere() -> None:
        x = torch.ones(2, requires_grad=True)
        results.append(torch.autograd.grad(Round.apply(x).sum(), x)[0])

    with recording() as calls:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert torch.equal(results[0], torch.ones(2))
    assert not calls.calls


def _hooked(net: nn.Module, y: Tensor) -> Tensor:
    if y.requires_grad:
        y.register_hook(lambda gradient: gradient * 0.5)
    return y


def test_a_hook_that_changes_the_gradient_is_found() -> None:
    with pytest.raises(FgcompileError, match=r"gradient of Net with respect to 'x'.*between 'first' and 'last'.*hook"):
        fgcompile.full_gradient(Net(_hooked).eval(), torch.randn(2, 3, 5, 5))


class _TwoOutputs(nn.Module):
    """Of two outputs, that with a hook has a millionth of the other's gradient."""

    def __init__(self) -> None:
        super().__init__()
        self.loud, self.quiet, self.relu = nn.Linear(4, 3), nn.Linear(4, 3), nn.ReLU()

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.loud(x) * 1e6, self.relu(_hooked(self, self.quiet(x)))


def test_each_output_is_compared_by_itself() -> None:
    with pytest.raises(FgcompileError, match=r"not that of the captured graph.*between 'quiet' and 'relu'"):
        fgcompile.full_gradient(_TwoOutputs().eval(), torch.randn(2, 4), output=1)


def test_functions_in_a_score() -> None:
    torch.manual_seed(0)
    model, x = nn.Linear(4, 3).double().eval(), torch.randn(2, 4, dtype=torch.float64)
    terms = fgcompile.full_gradient(model, x, target=lambda output: Round.apply(output * 2).square().sum(1))
    leaf = x.clone().requires_grad_()
    (expected,) = torch.autograd.grad(Round.apply(model(leaf) * 2).square().sum(), leaf)
    torch.testing.assert_close(terms.input_gradient, expected)
    assert terms.relative_completeness_error.max() < 1e-12


@pytest.mark.parametrize("value", [0.0, 6.0])
def test_kinks_are_no_lost_gradient(value: float) -> None:
    model = nn.Sequential(nn.Hardtanh(0.0, 6.0), nn.Flatten(), nn.Linear(12, 3)).eval()
    fgcompile.full_gradient(model, torch.full((2, 3, 2, 2), value))


def test_a_gradient_of_rounding_errors_is_no_lost_gradient() -> None:
    """The sum of what a LayerNorm returns does not depend on its input."""
    model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8)).eval()
    fgcompile.full_gradient(model, torch.randn(2, 3, 4), target=lambda output: output.sum((1, 2)))
