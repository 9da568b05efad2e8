"""What PyTorch could not capture, or captured as random, and what its failures are called."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.capture.gradients import require_same_gradients
from fgcompile.errors import CaptureError


class Around(nn.Module):
    """A function between two layers."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv, self.head, self.function = nn.Conv1d(4, 4, 3), nn.Linear(4, 3), function

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.function(self.conv(x)).mean(2))


def masked_dropout(y: Tensor) -> Tensor:
    kept, mask = torch.native_dropout(y, 0.5, False)
    return kept * mask


@pytest.mark.parametrize(
    ("function", "plain"),
    [
        (lambda y: torch.native_dropout(y, 0.5, False)[0], lambda y: y),
        (masked_dropout, lambda y: y),
        (lambda y: torch.native_channel_shuffle(y, 2), lambda y: torch.channel_shuffle(y, 2)),
    ],
    ids=["dropout", "mask", "shuffle"],
)
def test_operators_in_their_native_form_are_explained(
    function: Callable[[Tensor], Tensor], plain: Callable[[Tensor], Tensor]
) -> None:
    torch.manual_seed(0)
    model = Around(function).eval().double()
    for batch in (1, 2, 5):
        x = torch.randn(batch, 4, 7, dtype=torch.float64, requires_grad=True)
        model.function = plain
        (expected,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
        model.function = function
        terms = fgcompile.full_gradient(model, x.detach(), target=1)
        torch.testing.assert_close(terms.input_gradient, expected)
        assert terms.relative_completeness_error.max() < 1e-12


def test_native_forms_reach_an_artifact() -> None:
    model = Around(lambda y: masked_dropout(torch.native_channel_shuffle(y, 2))).eval()
    assert fgcompile.compile(model, torch.randn(2, 4, 7)).metadata["outputs"][0]["shape"] == ["batch", 3]


def test_a_dropout_that_draws_is_refused_still() -> None:
    with pytest.raises(CaptureError, match=r"native_dropout.*draws random numbers"):
        capture(Around(lambda y: torch.native_dropout(y, 0.5, True)[0]).eval(), torch.randn(2, 4, 7))


def test_data_is_named_with_its_line() -> None:
    with pytest.raises(CaptureError, match=rf"Around reads \.data at {__file__}:\d+, .* write \.detach\(\)") as caught:
        capture(Around(lambda y: y.data * 2).eval(), torch.randn(2, 4, 7))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("register", ["register_full_backward_hook", "register_full_backward_pre_hook"])
def test_a_backward_hook_is_named_with_its_layer(register: str) -> None:
    model = Around(torch.tanh).eval()
    getattr(model.conv, register)(lambda *arguments: None)
    for score in (None, lambda y: y[:, 0]):
        with pytest.raises(CaptureError, match=r"'conv' of Around has a backward hook \(register_full_backward_hook\)"):
            capture(model, torch.randn(2, 4, 7), score)


def test_pytorchs_notes_of_sizes_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    def by_values(y: Tensor) -> Tensor:
        return y[:, :, : int(y.sum().abs()) % 3 + 1]

    with caplog.at_level(logging.WARNING), pytest.raises(CaptureError):
        capture(Around(by_values).eval(), torch.randn(2, 4, 7))
    assert "Unable to find user code" not in caplog.text


class Words(nn.Module):
    def __init__(self, hook: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.words, self.head, self.hook = nn.Embedding(9, 4), nn.Linear(4, 3), hook

    def forward(self, ids: Tensor) -> Tensor:
        found = self.words(ids)
        if self.hook is not None and found.requires_grad and not torch.compiler.is_exporting():
            found.register_hook(self.hook)
        return self.head(found.tanh().mean(1))


def test_the_gradient_that_reaches_an_embedding_is_compared() -> None:
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]])
    captured = capture(Words().eval(), ids)
    with pytest.raises(CaptureError, match="what its lookup 1 of an embedding finds is not that of the captured graph"):
        capture(Words(lambda gradient: 2 * gradient).eval(), ids)
    other = Words().eval()  # of other weights
    with pytest.raises(CaptureError, match="lookup 1 of an embedding"):
        require_same_gradients(captured, other, [ids])


def test_an_output_that_parameters_alone_decide_has_no_gradient_to_compare() -> None:
    class Anchored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.anchors, self.head = nn.Parameter(torch.randn(5, 4)), nn.Linear(4, 3)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.anchors.exp(), self.head(x)

    assert len(capture(Anchored().eval(), torch.randn(2, 4)).inputs) == 1
