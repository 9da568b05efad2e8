"""Which inputs have maps: those with space, and those that layouts name; what does not fit is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import InputError
from tests.support.sweeps import few


class Stateful(nn.Module):
    """A signal ``(N, L)`` and a state ``(N, 2, H)``."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv1d(1, 4, 9, 4), nn.Linear(12, 2)

    def forward(self, signal: Tensor, state: Tensor) -> Tensor:
        return self.head(torch.cat([self.conv(signal[:, None]).relu().mean(2), state.flatten(1)], 1))


class Masked(nn.Module):
    """Token ids and their types, both embedded, and a mask; in another order than that of their importance."""

    def __init__(self) -> None:
        super().__init__()
        self.types, self.ids, self.head = nn.Embedding(2, 4), nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, types: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
        return self.head(((self.types(types) + self.ids(ids)).tanh() * mask.unsqueeze(-1)).mean(1))


class Last(nn.Module):
    """Channels in the middle or last, at the user's word; nothing slides over them."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.sigmoid().mean(1))


class ChannelsLast(nn.Module):
    """A picture ``(N, H, W, 3)``, permuted before a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.of_channels_first = of_channels_first()

    def forward(self, x: Tensor) -> Tensor:
        return self.of_channels_first(x.permute(0, 3, 1, 2))


def of_channels_first() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)).eval()


SIGNAL = (torch.zeros(2, 64), torch.zeros(2, 2, 4))
TEXT = (torch.zeros(2, 5, dtype=torch.int64), torch.ones(2, 5, dtype=torch.int64), torch.zeros(2, 5))


def maps(model: nn.Module, inputs: tuple[Tensor, ...], **layouts: str) -> dict[str, tuple[int, ...]]:
    """The grid of each map, by the input."""
    program = fgcompile.expose_biases(model.eval(), inputs, layouts=layouts)
    return {placement.input: placement.grid for placement in program.maps}


def test_a_signal_that_is_named_has_a_map_beside_a_state() -> None:
    assert maps(Stateful(), SIGNAL) == {"state": (4,)}
    assert maps(Stateful(), SIGNAL, signal="n l") == {"signal": (64,), "state": (4,)}
    assert maps(Stateful(), SIGNAL, signal="n l", state="none") == {"signal": (64,)}
    assert maps(Stateful(), SIGNAL, signal="n l", state="n l c") == {"signal": (64,), "state": (2,)}


def test_what_is_left_out_makes_way_for_tables() -> None:
    assert maps(Stateful(), SIGNAL, state="none") == {"signal": (64,)}
    assert maps(Stateful(), SIGNAL, signal="none") == {"state": (4,)}


def test_of_aligned_integer_inputs_the_named_one_has_the_map() -> None:
    text = (*TEXT[:2], TEXT[2].long())
    assert maps(Masked(), text) == {"types": (5,)}
    assert maps(Masked(), text, ids="n l") == {"ids": (5,)}


def test_names_other_than_letters_of_space_are_channels() -> None:
    x = (torch.zeros(2, 5, 6),)
    assert maps(Last(), x, x="n l h") == {"x": (5,)}
    assert maps(Last(), x, x="n c l") == {"x": (6,)}
    assert maps(Last(), x, x="n h w") == {"x": (5, 6)}
    assert maps(Last(), x, x="n w h") == {"x": (6, 5)}


@pytest.mark.parametrize(
    ("layouts", "says"),
    few(
        [
            ({"sound": "n l"}, "inputs are signal, state; layers are conv, head"),
            ({"signal": "n c l"}, "'signal': layout 'n c l' has 3 axes, the input has 2"),
            ({"state": "l c h"}, "'state': layout 'l c h' names no batch"),
            (
                {"s?ate": "l n h"},
                "'state': layout 'l n h' has the batch on another axis, which only the input's own name",
            ),
            ({"state": "n a b"}, "'state': layout 'n a b' has no axis of space"),
            ({"conv": "n l"}, "'conv': layout 'n l' has 2 axes, the value has 3"),
        ],
        3,
    ),
)
def test_what_does_not_fit_is_refused_by_name(layouts: dict[str, str], says: str) -> None:
    with pytest.raises(InputError) as caught:
        maps(Stateful(), SIGNAL, **layouts)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


FIRST, LAST = torch.zeros(2, 3, 8, 9), torch.zeros(2, 8, 9, 3)
PREPROCESS = fgcompile.Preprocess(0.5, 0.25)


def test_channels_and_space_are_not_taken_for_each_other() -> None:
    assert maps(of_channels_first(), (FIRST,), input="n c w h") == {"input": (9, 8)}
    assert maps(of_channels_first(), (FIRST,), input="n d h w") == {"input": (3, 8, 9)}
    assert maps(ChannelsLast(), (LAST,), x="n h w c") == {"x": (8, 9)}
    for layout in ("n h w c", "n h c w"):
        with pytest.raises(InputError, match=rf"'input': layout '{layout}' takes axis 1, .*: write 'n c h w'"):
            maps(of_channels_first(), (FIRST,), input=layout)
    with pytest.raises(InputError, match=r"takes axis 3, the model's channels, .* axis 1, which .*: write 'n h w c'"):
        maps(ChannelsLast(), (LAST,), x="n c h w")
    # A map over the channels of a signal is one that may be meant.
    signal = nn.Sequential(nn.Conv1d(3, 2, 3), nn.Flatten()).eval()
    assert maps(signal, (torch.zeros(2, 3, 8),), input="n l c") == {"input": (3,)}


@pytest.mark.parametrize(
    ("model", "x", "layouts"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(216, 2)), FIRST, {"input": "n h w c"}),
        (of_channels_first(), FIRST, {"input": "n d h w"}),
        (ChannelsLast(), LAST, {}),
    ],
)
def test_a_normalised_picture_has_its_channels_first(model: nn.Module, x: Tensor, layouts: dict[str, str]) -> None:
    with pytest.raises(
        InputError, match=r"is given \(N, C, H, W\), and the layout .* second axis is space: write 'n c"
    ):
        fuse(model.eval(), x, preprocess=PREPROCESS, layouts=layouts)


def test_the_artifact_has_a_map_of_every_named_input(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = Stateful().eval()
    fgcompile.compile(model, SIGNAL, layouts={"signal": "n l"}, psi="signed", target=1).save(tmp_path / "a.onnx")
    signal, state = torch.randn(3, 64), torch.randn(3, 2, 4)
    result = fgcompile.load(tmp_path / "a.onnx").explain((signal.numpy(), state.numpy()))
    assert {name: one.shape for name, one in result.saliency_by_input.items()} == {
        "signal": (3, 1, 64),
        "state": (3, 1, 4),
    }
    score = model(signal, state)[:, 1] - model.head.bias[1]
    total = sum(torch.from_numpy(one).flatten(1).sum(1) for one in result.saliency_by_input.values())
    torch.testing.assert_close(total, score.detach(), rtol=1e-5, atol=1e-6)
