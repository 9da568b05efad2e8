"""Texts of any length down to one token, where the graph has other axes than the text; beside the eager network."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.ir.programs import FusedProgram
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError

WORDS, WIDTH, CLASSES = 11, 8, 3
OUTPUTS = ("logits", "saliency", "contributions", "bias_gradients")


def text(samples: int, length: int) -> Tensor:
    return torch.randint(1, WORDS, (samples, length), generator=torch.Generator().manual_seed(10 * samples + length))


class Flattened(nn.Module):
    """A linear layer over all tokens of all samples in one axis, as GPT-2 has it."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH)
        self.weight, self.bias = nn.Parameter(torch.randn(WIDTH, WIDTH)), nn.Parameter(torch.randn(WIDTH))
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        y = self.norm(self.words(ids))
        mixed = torch.addmm(self.bias, y.reshape(-1, WIDTH), self.weight).reshape(y.shape)
        return self.head(F.silu(y + mixed).mean(1))


class Written(nn.Module):
    """A text and what is written for it, of another length."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.norm, self.own = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH), nn.Embedding(WORDS, WIDTH)
        self.head = nn.Linear(WIDTH, CLASSES)

    def forward(self, ids: Tensor, written: Tensor) -> Tensor:
        read, y = self.norm(self.words(ids)), self.own(written)
        return self.head(F.silu(y + F.scaled_dot_product_attention(y, read, read)).mean(1))


class Experts(nn.Module):
    """A mixture of experts: the weights of each token's two are gathered, and all pairs lie in one axis."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.router = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, 4)
        self.weights, self.head = nn.Parameter(torch.randn(4, WIDTH, WIDTH)), nn.Linear(WIDTH, CLASSES)

    def forward(self, ids: Tensor) -> Tensor:
        y = self.words(ids)
        shares, chosen = self.router(y.reshape(-1, WIDTH)).softmax(-1).topk(2, -1)
        each = y.reshape(-1, WIDTH).repeat_interleave(2, 0).unsqueeze(-1)
        found = torch.tanh(torch.bmm(self.weights[chosen.reshape(-1)], each)).squeeze(-1) * shares.reshape(-1, 1)
        return self.head((y + found.reshape(*y.shape[:2], 2, WIDTH).sum(2)).mean(1))


def made(model: nn.Module, *inputs: Tensor, **options: Any) -> FusedProgram:
    return fuse(model.double().eval(), inputs, target=1, outputs=OUTPUTS, rules="taylor", **options)


def found_by(program: FusedProgram, *inputs: Tensor) -> dict[str, Tensor]:
    return dict(zip((spec.name for spec in program.outputs), program.graph_module(*inputs), strict=True))


@pytest.fixture(scope="module")
def experts() -> FusedProgram:
    torch.manual_seed(0)
    return made(Experts(), text(2, 9), dynamic_sizes=True, psi="fullgrad")


def test_one_token_of_samples_that_share_its_axis() -> None:
    model = Flattened()
    program = made(model, text(2, 9), dynamic_sizes=True, psi="signed")
    assert program.inputs[0].smallest is None
    for samples in (1, 3):
        ids = text(samples, 1)
        found, score = found_by(program, ids), model(ids)[:, 1]
        assert relative_difference(found["contributions"].sum(1), score) <= 1e-9
        assert found["bias_gradients.addmm"].shape == (samples, 1, WIDTH)
        # All that has a place lies on the only token: but for the head's own bias it is the whole score.
        assert relative_difference(found["saliency"][:, 0, 0], score - model.head.bias[1]) <= 1e-9


def test_one_token_of_either_of_two_texts() -> None:
    model = Written()
    program = made(model, text(2, 9), text(2, 7), dynamic_sizes=True, psi="signed")
    assert [spec.smallest for spec in program.inputs] == [None, None]
    for read, written in ((1, 5), (6, 1), (1, 1)):
        inputs = text(3, read), text(3, written)
        found, score = found_by(program, *inputs), model(*inputs)[:, 1]
        assert found["saliency"].shape == (3, 1, read)
        assert found["saliency.written"].shape == (3, 1, written)
        total = found["saliency"].sum((1, 2)) + found["saliency.written"].sum((1, 2))
        assert relative_difference(total, score - model.head.bias[1]) <= 1e-9


@pytest.mark.parametrize("length", [1, 4, 14])
def test_each_token_has_its_experts(experts: FusedProgram, length: int) -> None:
    torch.manual_seed(0)
    model, ids = Experts().double().eval(), text(3, length)
    found = found_by(experts, ids)
    assert relative_difference(found["contributions"].sum(1), model(ids)[:, 1]) <= 1e-9
    if length > 1:  # compiled for this length alone, places are told by their numbers
        fixed = found_by(made(model, text(2, length), psi="fullgrad"), ids)
        assert relative_difference(found["saliency"], fixed["saliency"]) <= 1e-9


def test_weights_that_are_chosen_are_no_source() -> None:
    sites = fgcompile.expose_biases(Experts().double().eval(), text(2, 9)).sites
    assert [site.name for site in sites if site.kind == "embedding"] == ["words"]
    layouts = {site.name: site.layout for site in sites}
    assert "bmm" not in layouts  # linear in the tokens
    assert layouts["tanh"] == "(n l) c 1"


class Quantised(nn.Module):
    """Each token's nearest of some vectors, two parts of it apart: rows of tables, which the score is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(WORDS, WIDTH), nn.Linear(WIDTH, CLASSES)
        self.codes = nn.Parameter(torch.randn(2, 5, WIDTH // 2))

    def forward(self, ids: Tensor) -> Tensor:
        halves = self.words(ids).unflatten(2, (2, -1))
        nearest = torch.einsum("nlpw,pkw->nlpk", halves, self.codes).argmax(-1)
        return self.head(torch.tanh(self.codes[torch.arange(2), nearest].flatten(2)).mean(1))


def test_rows_that_are_chosen_are_a_source() -> None:
    model, ids = Quantised().double().eval(), text(2, 9)
    sites = fgcompile.expose_biases(model, ids).sites
    assert [site.layout for site in sites if site.kind == "embedding"] == ["n l c", "n l c c"]
    found, score = found_by(made(model, ids, psi="signed"), ids), model(ids)[:, 1]
    assert relative_difference(found["contributions"].sum(1), score) <= 1e-9
    assert relative_difference(found["saliency"].sum((1, 2)), score - model.head.bias[1]) <= 1e-9


def test_a_map_of_which_nothing_lies_on_the_way_to_the_score_is_refused() -> None:
    model, ids = Quantised().double().eval(), text(2, 9)
    sites = fgcompile.expose_biases(model, ids).sites
    others = {site.name: "none" for site in sites if site.name != "words"}
    with pytest.raises(CaptureError, match="no layer between 'ids' and the score lies over it"):
        made(model, ids, layouts=others)


class Captioned(nn.Module):
    """A picture in patches, of one size, which it does not ask for; and a text."""

    def __init__(self) -> None:
        super().__init__()
        self.patch, self.places = nn.Conv2d(3, WIDTH, 8, 8), nn.Parameter(torch.randn(4, WIDTH))
        self.words, self.norm, self.head = nn.Embedding(WORDS, WIDTH), nn.LayerNorm(WIDTH), nn.Linear(WIDTH, CLASSES)

    def forward(self, pixels: Tensor, ids: Tensor) -> Tensor:
        seen = self.patch(pixels).flatten(2).transpose(1, 2) + self.places
        y = self.norm(self.words(ids))
        return self.head(F.silu(y + F.scaled_dot_product_attention(y, seen, seen)).mean(1))


def test_a_picture_whose_patches_leave_a_few_pixels_out_is_of_one_size() -> None:
    model = Captioned()
    program = made(model, torch.randn(2, 3, 16, 16).double(), text(2, 9), dynamic_sizes=True)
    assert [spec.shape for spec in program.inputs] == [("batch", 3, 16, 16), ("batch", "length")]
    inputs = torch.randn(3, 3, 16, 16).double(), text(3, 1)
    assert relative_difference(found_by(program, *inputs)["contributions"].sum(1), model(*inputs)[:, 1]) <= 1e-9
