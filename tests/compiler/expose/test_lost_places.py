"""Places that a product loses: of a score's key, of tokens that are mixed; and what is said where they stay lost."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.errors import LayoutWarning

TOKENS, WIDTH = 7, 8


class Attention(nn.Module):
    """One function, whose weights are queries × keys or keys × queries."""

    def __init__(self, keys_first: bool) -> None:
        super().__init__()
        self.keys_first = keys_first
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (layer(x).unflatten(-1, (2, -1)).transpose(1, 2) for layer in (self.query, self.key, self.value))
        if self.keys_first:
            mixed = (k @ q.transpose(-1, -2)).softmax(2).transpose(-1, -2) @ v
        else:
            mixed = (q @ k.transpose(-1, -2)).softmax(-1) @ v
        return self.head((x + self.out(mixed.transpose(1, 2).flatten(2))).mean(1))


def layouts(model: nn.Module, x: Tensor) -> dict[str, str]:
    return {site.name: site.layout for site in fgcompile.expose_biases(model, x).sites}


def test_of_keys_by_queries_the_values_lie_where_their_queries_do() -> None:
    torch.manual_seed(0)
    usual, turned = Attention(False).eval(), Attention(True).eval()
    turned.load_state_dict(usual.state_dict())
    x = torch.randn(2, TOKENS, WIDTH)
    assert layouts(turned, x) == layouts(usual, x)
    assert [layout for layout in layouts(turned, x).values() if layout == "none"] == ["none"]  # the head's


class Mixer(nn.Module):
    """Mixes tokens and adds a bias to each; the bias belongs to the product, or is added where tokens are."""

    def __init__(self, within: bool) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
        self.mix = nn.Linear(TOKENS, TOKENS, bias=within)
        self.scale = nn.Parameter(torch.rand(WIDTH) + 0.5)
        self.shift = None if within else nn.Parameter(torch.randn(TOKENS, 1))

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        mixed = self.mix(x.transpose(1, 2)).transpose(1, 2) * self.scale
        x = x + mixed if self.shift is None else x + mixed + self.shift * self.scale
        return self.head(torch.tanh(x).mean(1))


def test_mixed_tokens_lie_where_what_they_are_added_to_does() -> None:
    torch.manual_seed(0)
    within, beside = Mixer(True).eval(), Mixer(False).eval()
    beside.load_state_dict({**within.state_dict(), "shift": within.mix.bias.detach()[:, None]}, strict=False)
    x = torch.randn(2, TOKENS, WIDTH)
    np.testing.assert_allclose(within(x).detach(), beside(x).detach(), rtol=1e-6, atol=1e-6)
    maps = [
        fgcompile.compile(model, x, rules="taylor", psi="fullgrad").session().explain(x.numpy(), target=1).saliency
        for model in (within, beside)
    ]
    np.testing.assert_allclose(maps[0], maps[1], rtol=1e-4)
    assert maps[0].std() > 0.01
    assert layouts(within, x)["mix"] == "n c l"


class Hidden(nn.Module):
    """Tokens mixed into hidden ones, which are no tokens of the input's, and back."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 3)
        self.up, self.down = nn.Linear(TOKENS, 5), nn.Linear(5, TOKENS)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x)
        return self.head((x + self.down(torch.relu(self.up(x.transpose(1, 2)))).transpose(1, 2)).mean(1))


class Gate(nn.Module):
    """A gate of channels: without a place, as it should be."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.gate, self.head = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 8, 1), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).relu()
        return self.head((x * self.gate(x.mean((2, 3), keepdim=True)).sigmoid()).mean((2, 3)))


def test_layers_that_stay_without_a_place_are_named() -> None:
    torch.manual_seed(0)
    model, x = Hidden().eval(), torch.randn(2, TOKENS, WIDTH)
    with pytest.warns(LayoutWarning, match=r"'up' has no place in the input"):
        artifact = fgcompile.compile(model, x, rules="taylor")
    assert {site["name"]: site["layout"] for site in artifact.metadata["sites"]}["down"] == "n c l"
    with warnings.catch_warnings():
        warnings.simplefilter("error", LayoutWarning)
        fgcompile.compile(model, x, rules="taylor", layouts={"up": "none"})
        fgcompile.compile(Gate().eval(), torch.randn(1, 3, 9, 9))
