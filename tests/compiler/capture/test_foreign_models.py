"""What other libraries' models are like: caches, experts, packed sequences, modules without Python code."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

import fgcompile
from fgcompile.compiler.capture.capture import capture
from fgcompile.errors import CaptureError, CaptureWarning


class Cache:
    """As a cache of keys and values: nothing that an export could return."""


class Decoder(nn.Module):
    """As Transformers' models: a configuration says whether a cache is returned, unless the call does."""

    def __init__(self, use_cache: bool) -> None:
        super().__init__()
        self.config = SimpleNamespace(use_cache=use_cache, keys_to_ignore_at_inference=["past_key_values"])
        self.words, self.head = nn.Embedding(9, 4), nn.Linear(4, 3)

    def forward(self, input_ids: Tensor, use_cache: bool | None = None) -> dict[str, Any]:
        use_cache = self.config.use_cache if use_cache is None else use_cache
        logits = self.head(self.words(input_ids).tanh().mean(1))
        return {"logits": logits, "past_key_values": Cache()} if use_cache else {"logits": logits}


def test_a_cache_is_left_out_while_capturing_and_said_once() -> None:
    model, ids = Decoder(use_cache=True).eval(), torch.tensor([[1, 2, 3]])
    with pytest.warns(CaptureWarning, match="use_cache=True") as caught:
        terms = fgcompile.full_gradient(model, {"input_ids": ids})
    assert len(caught) == 1
    assert list(terms.output) == ["logits"]
    assert model.config.use_cache is True
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fgcompile.full_gradient(Decoder(use_cache=False).eval(), ids)
        # An encoder's configuration says so too, and it returns none.
        encoder = Decoder(use_cache=True).eval()
        encoder.config.keys_to_ignore_at_inference = []
        fgcompile.full_gradient(encoder, ids)


class Kinds(nn.Module):
    """As a BERT that is given no kinds of tokens: it expands a buffer of them, as long as its table of positions."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.kinds, self.positions = nn.Embedding(9, 4), nn.Embedding(2, 4), nn.Embedding(20, 4)
        self.head = nn.Linear(4, 3)
        self.register_buffer("kind", torch.zeros(1, 20, dtype=torch.int64))
        self.register_buffer("places", torch.arange(20)[None])

    def forward(self, ids: Tensor) -> Tensor:
        kinds = self.kind[:, : ids.shape[1]].expand(ids.shape[0], ids.shape[1])
        places = self.positions(self.places[:, : ids.shape[1]])
        return self.head((self.words(ids) + self.kinds(kinds) + places).tanh().mean(1))


@pytest.mark.parametrize("length", [6, 13])
def test_the_longest_text_is_found_where_longer_ones_cannot_be_computed(length: int) -> None:
    captured = capture(Kinds().eval(), torch.ones(2, length, dtype=torch.int64), dynamic_sizes=True)
    assert dict(zip(captured.inputs, captured.longest, strict=True)) == {"ids": {1: 20}}


class Experts(nn.Module):
    """Runs those experts alone that some token was sent to, as Transformers does by default."""

    def __init__(self, by_size: bool) -> None:
        super().__init__()
        self.router, self.by_size = nn.Linear(4, 2), by_size
        self.parts = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4)])

    def forward(self, x: Tensor) -> Tensor:
        chosen = self.router(x).argmax(-1)
        result = torch.zeros_like(x)
        for index, part in enumerate(self.parts):
            (rows,) = torch.where(chosen == index)
            if self.by_size and rows.numel() == 0:
                continue
            result = result.index_add(0, rows, part(x[rows]))
        return result


@pytest.mark.parametrize("by_size", [True, False])
def test_experts_that_are_chosen_by_values_are_told_what_to_do(by_size: bool) -> None:
    model = nn.Sequential(OrderedDict(experts=Experts(by_size), head=nn.Linear(4, 2))).eval()
    with pytest.raises(CaptureError, match=r"'experts.*experts_implementation='batched_mm'"):
        capture(model, torch.randn(2, 4))


class Grouped(nn.Module):
    """The faster implementation: rows sorted by their expert, and products of groups."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 16, 16))

    def forward(self, x: Tensor) -> Tensor:
        ends = torch.tensor([1, 2], dtype=torch.int32).clamp(max=x.shape[0])
        return torch.nn.functional.grouped_mm(x, self.weight, offs=ends)


def test_products_of_groups_are_told_what_to_do() -> None:
    with pytest.raises(CaptureError, match="batched_mm"):
        capture(Grouped().bfloat16().eval(), torch.randn(2, 16).bfloat16())


class Mixture(nn.Module):
    """As a model of Transformers with experts: it says which implementation it has, and takes another."""

    def __init__(self) -> None:
        super().__init__()
        self.experts, self.head, self.implementation = Experts(by_size=True), nn.Linear(4, 2), "grouped_mm"

    def get_experts_implementation(self) -> dict[str, str]:
        return {"": self.implementation}

    def set_experts_implementation(self, implementation: str | dict[str, str]) -> None:
        self.implementation = implementation if isinstance(implementation, str) else implementation[""]

    def forward(self, x: Tensor) -> Tensor:
        if self.implementation != "batched_mm":
            return self.head(self.experts(x))
        parts = torch.stack([part(x) for part in self.experts.parts], 1)
        chosen = self.experts.router(x).argmax(-1, keepdim=True)
        return self.head((parts * (chosen == torch.arange(2))[..., None].to(x.dtype)).sum(1))


def test_transformers_experts_are_gathered_while_capturing() -> None:
    model, x = Mixture().double().eval(), torch.randn(3, 4).double()
    terms = fgcompile.full_gradient(model, x, target=1)
    torch.testing.assert_close(terms.output, model(x))
    assert model.implementation == "grouped_mm"


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rnn = nn.LSTM(4, 5, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        lengths = torch.full((x.shape[0],), 3)
        packed = pack_padded_sequence(x, lengths, batch_first=True)
        return pad_packed_sequence(self.rnn(packed)[0], batch_first=True)[0].mean(1)


def test_packed_sequences_are_named_with_layer_and_line() -> None:
    line = Packed.forward.__code__.co_firstlineno + 2
    model = nn.Sequential(OrderedDict(part=Packed())).eval()
    with pytest.raises(CaptureError, match=rf"'part' of Sequential at .*:{line} packs sequences.*padded"):
        capture(model, torch.randn(2, 3, 4))


def test_modules_without_python_code_are_named() -> None:
    plain, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU()).eval(), torch.randn(2, 4)
    for model in (torch.jit.script(plain), torch.jit.trace(plain, x)):
        with pytest.raises(CaptureError, match="traced or scripted"):
            capture(model, x)
    with pytest.raises(CaptureError, match=r"part '1' is a traced or scripted module of torch\.jit"):
        capture(nn.Sequential(nn.Linear(4, 4), torch.jit.script(plain)).eval(), x)
