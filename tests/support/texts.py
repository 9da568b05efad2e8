"""A tokenizer made here, and small models of token ids: a classifier, a tagger, a language model, an encoder."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
WORDS = (
    *("the", "film", "was", "a", "du", "##ll", "joy", "##ous", "not", "paris", "in"),
    *(".", ",", "it", "'", "s", "<b>", "&", "##ing"),
)
VOCABULARY = {word: number for number, word in enumerate((*SPECIAL, *WORDS))}


def wordpiece() -> Tokenizer:
    """As BERT's: lower case, ``[CLS] … [SEP]``, pairs with segments, and truncation to 4 that nobody should notice."""
    tokenizer = Tokenizer(models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, VOCABULARY[name]) for name in ("[CLS]", "[SEP]")],
    )
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.enable_padding(pad_id=0, pad_token="[PAD]", length=6)
    tokenizer.enable_truncation(4)
    return tokenizer


def byte_level() -> Tokenizer:
    """As GPT-2's: spaces belong to words, nothing is added, nothing to pad with; bytes, and a few merges of them."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {letter: number for number, letter in enumerate(alphabet)}
    merges = [("Ġ", "d"), ("Ġd", "u"), ("Ġdu", "l"), ("Ġdul", "l"), ("f", "i"), ("fi", "l"), ("fil", "m")]
    for left, right in merges:
        vocabulary[left + right] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    return tokenizer


class Encoder(nn.Module):
    """Embeddings of tokens and segments, one layer that attends to what is no pad."""

    def __init__(self, words: int, causal: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.words, self.types, self.causal = nn.Embedding(words, 8), nn.Embedding(2, 8), causal
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        y = self.words(input_ids)
        if token_type_ids is not None:
            y = y + self.types(token_type_ids)
        q, k, v = self.qkv(y).chunk(3, -1)
        allowed = attention_mask[:, None, :].bool()
        if self.causal:
            size = input_ids.shape[1]
            allowed = allowed & torch.ones(size, size, dtype=torch.bool, device=y.device).tril()
        return y + self.out(F.gelu(F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)))


class Classifier(nn.Module):
    """The mean of what is no pad, and a linear layer: ``(N, K)``."""

    def __init__(self, words: int = len(VOCABULARY), classes: int = 2) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(words), nn.Linear(8, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> Tensor:
        y = self.encoder(input_ids, attention_mask, token_type_ids)
        weight = attention_mask[..., None].to(y.dtype)
        return self.head((y * weight).sum(1) / weight.sum(1))


class Tagger(nn.Module):
    """A linear layer at each token: ``(N, L, K)``; causal with ``K`` the vocabulary, a language model."""

    def __init__(self, words: int, classes: int, causal: bool = False) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(words, causal), nn.Linear(8, classes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.encoder(input_ids, attention_mask))


class Embedder(nn.Module):
    """The mean of what is no pad: ``(N, D)``."""

    def __init__(self, words: int = len(VOCABULARY)) -> None:
        super().__init__()
        self.encoder = Encoder(words)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        weight = attention_mask[..., None].float()
        return (self.encoder(input_ids, attention_mask) * weight).sum(1) / weight.sum(1)


class TwoTexts(nn.Module):
    """How alike two texts are, each with inputs of its own: ``(N, 1)``."""

    def __init__(self) -> None:
        super().__init__()
        self.embedder = Embedder()

    def forward(
        self, query_input_ids: Tensor, query_attention_mask: Tensor, input_ids: Tensor, attention_mask: Tensor
    ) -> Tensor:
        first = self.embedder(query_input_ids, query_attention_mask)
        return (first * self.embedder(input_ids, attention_mask)).sum(1, keepdim=True)


def example(*names: str, length: int = 6, words: int = len(VOCABULARY)) -> dict[str, Any]:
    """Inputs by name for a batch of two."""
    random = torch.Generator().manual_seed(0)
    made: dict[str, Any] = {}
    for name in names:
        if name.endswith("input_ids"):
            made[name] = torch.randint(0, words, (2, length), generator=random)
        else:
            made[name] = torch.full((2, length), int("mask" in name))
    return made
