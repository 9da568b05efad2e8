"""Texts of any length as tokenizers hand them: masks, padding, positions of every kind; beside eager autograd."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.pipeline import fuse
from fgcompile.compiler.request import RuleSet
from fgcompile.errors import InputError
from tests.support.sweeps import few, quick

OUTPUTS = ("logits", "saliency", "contributions", "bias_gradients")
WORDS, TABLE, WIDTH, HEADS = 11, 20, 8, 2


def table_of_positions(y: Tensor, mask: Tensor, model: Text) -> Tensor:
    return y + model.positions(torch.arange(y.shape[1], device=y.device))


def positions_of_words(y: Tensor, mask: Tensor, model: Text) -> Tensor:
    """As RoBERTa's, which count the words and not the padding."""
    return y + model.positions(mask.cumsum(1) * mask)


def no_positions(y: Tensor, mask: Tensor, model: Text) -> Tensor:
    return y


def no_bias(length: int, q: Tensor, model: Text) -> Tensor:
    return torch.zeros(1, 1, length, length, dtype=q.dtype)


def causal(length: int, q: Tensor, model: Text) -> Tensor:
    seen = torch.ones(length, length, dtype=torch.bool).tril()
    return torch.zeros(length, length, dtype=q.dtype).masked_fill(~seen, torch.finfo(q.dtype).min)[None, None]


def sliding_window(length: int, q: Tensor, model: Text) -> Tensor:
    places = torch.arange(length)
    apart = places[:, None] - places[None, :]
    seen = (apart >= 0) & (apart < 4)
    return torch.zeros(length, length, dtype=q.dtype).masked_fill(~seen, torch.finfo(q.dtype).min)[None, None]


def alibi(length: int, q: Tensor, model: Text) -> Tensor:
    places = torch.arange(length)
    slopes = torch.tensor([0.5, 0.25], dtype=q.dtype)[:, None, None]
    return (-slopes * (places[:, None] - places[None, :]).abs())[None]


def buckets(length: int, q: Tensor, model: Text) -> Tensor:
    """As T5's: near places have a bucket each, far ones share."""
    places = torch.arange(length)
    apart = (places[None, :] - places[:, None]).abs()
    far = 4 + (torch.log(apart.clamp(min=1).float() / 4) / np.log(4) * 4).long().clamp(max=3)
    return model.bias(torch.where(apart < 4, apart, far)).permute(2, 0, 1)[None]


def unturned(x: Tensor) -> Tensor:
    return x


def rotary(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2], dtype=x.dtype)[:, None] * torch.tensor([1.0, 0.1], dtype=x.dtype)[:half]
    cos, sin = (torch.cat([value, value], -1) for value in (angles.cos(), angles.sin()))
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class Text(nn.Module):
    """One layer of a Transformer for texts, with the mask of its tokenizer and a class token or none."""

    def __init__(
        self,
        place: Callable[[Tensor, Tensor, Text], Tensor] = no_positions,
        bias: Callable[[int, Tensor, Text], Tensor] = no_bias,
        turn: Callable[[Tensor], Tensor] = unturned,
        pooled: str = "mean",
    ) -> None:
        super().__init__()
        self.place, self.of_places, self.turn, self.pooled = place, bias, turn, pooled
        self.words, self.types = nn.Embedding(WORDS, WIDTH), nn.Embedding(2, WIDTH)
        self.positions, self.bias = nn.Embedding(TABLE, WIDTH), nn.Embedding(8, HEADS)
        self.token = nn.Parameter(torch.randn(1, 1, WIDTH))
        self.norm, self.qkv, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, 3)

    def forward(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> dict[str, Tensor]:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        y = self.words(input_ids)
        if token_type_ids is not None:
            y = y + self.types(token_type_ids)
        y = self.norm(self.place(y, mask, self))
        if self.pooled == "class token":
            y = torch.cat([self.token.expand(y.shape[0], -1, -1), y], 1)
            mask = torch.cat([torch.ones_like(mask[:, :1]), mask], 1)
        heads = (t.unflatten(2, (HEADS, -1)).transpose(1, 2) for t in self.qkv(y).chunk(3, -1))
        q, k, v = (turn(t) for t, turn in zip(heads, (self.turn, self.turn, unturned), strict=True))
        hidden = (1 - mask[:, None, None, :]).to(y.dtype) * torch.finfo(y.dtype).min
        scores = q @ k.transpose(2, 3) / 2 + torch.maximum(
            self.of_places(y.shape[1], q, self) + hidden, torch.tensor(torch.finfo(y.dtype).min, dtype=y.dtype)
        )
        z = F.silu(y + (scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
        return {"logits": self.head(self._pooled(z, mask)), "hidden": z}

    def _pooled(self, z: Tensor, mask: Tensor) -> Tensor:
        if self.pooled == "last word":
            return z[torch.arange(z.shape[0], device=z.device), mask.sum(1) - 1]
        if self.pooled == "class token":
            return z[:, 0]
        shares = mask[..., None].to(z.dtype)
        return (z * shares).sum(1) / shares.sum(1)


MODELS: dict[str, Text] = {
    "table": Text(table_of_positions),
    "counted": Text(positions_of_words),
    "causal": Text(table_of_positions, causal, pooled="last word"),
    "sliding": Text(no_positions, sliding_window, rotary, "last word"),
    "rotary": Text(no_positions, no_bias, rotary),
    "alibi": Text(no_positions, alibi),
    "buckets": Text(no_positions, buckets),
    "class token": Text(table_of_positions, pooled="class token"),
}


def text(samples: int, length: int, padded: int = 0, types: bool = False) -> dict[str, Tensor]:
    """Ids and their mask, all samples but the first padded."""
    generator = torch.Generator().manual_seed(100 * samples + length)
    mask = torch.ones(samples, length, dtype=torch.long)
    mask[1:, length - padded :] = 0
    inputs = {"input_ids": torch.randint(1, WORDS, (samples, length), generator=generator) * mask}
    inputs["attention_mask"] = mask
    return {**inputs, "token_type_ids": (torch.arange(length) % 2).expand(samples, -1)} if types else inputs


def of_words(model: Text, inputs: dict[str, Tensor], target: int) -> tuple[Tensor, Tensor]:
    """The logits and ``∂f/∂e ⊙ e`` at every embedded word, by autograd."""
    kept: list[Tensor] = []

    def keep(_module: nn.Module, _given: Any, output: Tensor) -> Tensor:
        kept.append(output.detach().requires_grad_())
        return kept[0]

    with model.words.register_forward_hook(keep):
        logits = model(**inputs)["logits"]
    (gradient,) = torch.autograd.grad(logits[:, target].sum(), kept)
    return logits.detach(), (kept[0] * gradient).detach()


def found_by(program: Any, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
    values = program.graph_module(*inputs.values())
    return dict(zip((spec.name for spec in program.outputs), values, strict=True))


@functools.cache
def fused(name: str, rules: RuleSet) -> tuple[Text, Any]:
    """The model in float64, and its program for texts of any length."""
    model = copy.deepcopy(MODELS[name]).double().eval()
    options: dict[str, Any] = {"target": 1, "output": "logits", "rules": rules, "psi": "signed", "dynamic_sizes": True}
    return model, fuse(model, text(2, 12, 4, name == "table"), outputs=OUTPUTS, **options)


@pytest.mark.parametrize("name", quick(MODELS, "causal"))
def test_every_kind_of_positions_at_every_length(name: str) -> None:
    model, program = fused(name, "taylor")
    types = name == "table"
    assert [spec.shape for spec in program.inputs] == [("batch", "length")] * (3 if types else 2)
    for samples, length, padded in ((1, 1, 0), (2, 7, 3), (3, 12, 0), (2, 16, 5), (2, TABLE - 1, 1)):
        inputs = text(samples, length, padded, types)
        found = found_by(program, inputs)
        logits, terms = of_words(model, inputs, 1)
        assert relative_difference(found["logits"], logits) <= 1e-9
        assert relative_difference(found["bias_gradients.words"], terms) <= 1e-9
        assert relative_difference(found["contributions"].sum(1), logits[:, 1]) <= 1e-9
        assert found["saliency"].shape == (samples, 1, length)


@pytest.mark.parametrize(
    ("name", "rules"), few(product(["causal", "table", "counted", "class token", "rotary"], ["taylor", "libragrad"]), 1)
)
def test_padding_is_exact(name: str, rules: RuleSet) -> None:
    _, program = fused(name, rules)
    short = text(1, 9, types=name == "table")
    longer = {key: F.pad(value, (0, 6)) for key, value in short.items()}
    found, padded = found_by(program, short), found_by(program, longer)
    assert relative_difference(padded["logits"], found["logits"]) <= 1e-12
    assert relative_difference(padded["saliency"][..., :9], found["saliency"]) <= 1e-12
    assert (padded["saliency"][..., 9:] == 0).all()


@pytest.mark.parametrize("name", quick(["table", "class token", "rotary"], "class token"))
def test_beyond_the_table_is_refused_by_name(name: str, tmp_path: Path) -> None:
    longest = None if name == "rotary" else TABLE
    model, path = MODELS[name].float().eval(), tmp_path / "text.onnx"
    fgcompile.compile(model, text(1, 8), target=1, output="logits", dynamic_sizes=True).save(path)
    session = fgcompile.load(path, threads=1)
    assert session.metadata["inputs"][0].get("largest", [1, None])[1] == longest
    inputs = {key: value.numpy() for key, value in text(3, TABLE, 6).items()}
    with torch.no_grad():
        expected = model(**text(3, TABLE, 6))["logits"].numpy()
    np.testing.assert_allclose(session.explain(inputs).logits, expected, atol=1e-5)
    longer = {key: value.numpy() for key, value in text(1, TABLE + 1).items()}
    if longest is None:
        session.explain(longer)
        return
    with pytest.raises(InputError, match=f"axis 1 must be at most {TABLE}, not {TABLE + 1}: the model's positions end"):
        session.explain(longer)


@pytest.mark.slow
def test_beyond_a_table_by_words_its_layer_is_named(tmp_path: Path) -> None:
    """Its length says nothing: padding counts no positions."""
    model, path = MODELS["counted"].float().eval(), tmp_path / "text.onnx"
    fgcompile.compile(model, text(1, 8), target=1, output="logits", dynamic_sizes=True).save(path)
    session = fgcompile.load(path, threads=1)
    assert session.metadata["tables"] == [{"name": "positions", "size": TABLE}]
    longest = {key: F.pad(value, (0, 5)).numpy() for key, value in text(1, TABLE - 1).items()}
    session.explain(longest)
    with pytest.raises(InputError, match=rf"has positions \('positions' has {TABLE} places\): give other inputs"):
        session.explain({key: value.numpy() for key, value in text(1, TABLE).items()})


def test_an_example_at_the_table_s_end_is_refused() -> None:
    with pytest.raises(InputError, match=f"no text longer than the example's {TABLE}.*of half that length"):
        fuse(MODELS["table"].eval(), text(1, TABLE), output="logits", dynamic_sizes=True)


class Listening(nn.Module):
    """A sound of one length, and what is written of it, of any."""

    def __init__(self) -> None:
        super().__init__()
        self.hear, self.places = nn.Conv1d(3, WIDTH, 3, padding=1), nn.Parameter(torch.randn(WIDTH, 6))
        self.words, self.norm, self.head = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, sound: Tensor, words: Tensor) -> Tensor:
        if sound.shape[2] != 6:
            raise ValueError("expects 6 frames")
        heard = (F.silu(self.hear(sound)) + self.places).transpose(1, 2)
        y = self.norm(self.words(words))
        return self.head((y + F.scaled_dot_product_attention(y, heard, heard)).mean(1))


def test_of_several_inputs_those_vary_that_can() -> None:
    model = Listening().double().eval()
    sound, words = torch.randn(2, 3, 6).double(), text(2, 9)["input_ids"]
    program = fuse(model, (sound, words), target=1, outputs=("logits", "contributions"), dynamic_sizes=True)
    assert [spec.shape for spec in program.inputs] == [("batch", 3, 6), ("batch", "length")]
    for samples, length in ((1, 1), (3, 14)):
        given = torch.randn(samples, 3, 6).double(), text(samples, length)["input_ids"]
        logits, contributions = program.graph_module(*given)
        assert relative_difference(logits, model(*given)) <= 1e-9
        assert relative_difference(contributions.sum(1), model(*given)[:, 1]) <= 1e-9


class Interpolated(nn.Module):
    """A Vision Transformer whose positions are interpolated, but at its own size."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.positions = nn.Conv2d(3, WIDTH, 4, 4), nn.Parameter(torch.randn(1, WIDTH, 4, 4))
        self.norm, self.qkv, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, 3)

    def forward(self, pixels: Tensor) -> Tensor:
        y = self.patch(pixels)
        positions = self.positions
        if y.shape[2:] != positions.shape[2:]:
            positions = F.interpolate(positions, size=y.shape[2:], mode="bicubic", align_corners=False)
        y = self.norm((y + positions).flatten(2).transpose(1, 2))
        q, k, v = self.qkv(y).chunk(3, -1)
        return self.head(F.silu(y + F.scaled_dot_product_attention(q, k, v)).mean(1))


def test_pictures_of_any_size_where_positions_are_interpolated() -> None:
    model = Interpolated().double().eval()
    outputs = ("logits", "contributions", "input_gradient")
    options: dict[str, Any] = {"target": 1, "outputs": outputs, "rules": "taylor", "dynamic_sizes": True}
    program = fuse(model, torch.randn(2, 3, 16, 16).double(), **options)
    for samples, height, width in ((2, 16, 16), (1, 12, 20), (3, 32, 24)):
        pixels = torch.randn(samples, 3, height, width).double().requires_grad_()
        score = model(pixels)[:, 1]
        (expected,) = torch.autograd.grad(score.sum(), [pixels])
        logits, contributions, gradient = program.graph_module(pixels.detach())
        assert relative_difference(logits, model(pixels).detach()) <= 1e-9
        assert relative_difference(contributions.sum(1), score.detach()) <= 1e-9
        assert relative_difference(gradient, expected) <= 1e-9
