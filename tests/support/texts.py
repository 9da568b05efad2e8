"""A tokenizer made here, and small models of token ids: a classifier, a tagger, a language model, an encoder."""

from __future__ import annotations

from typing import Any, cast

import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn

import fgcompile
import fgcompile.scores
from fgcompile.artifact.metadata import Metadata
from fgcompile.runtime.session import open_session
from tests.support.shared import shared

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


MERGES = (("Ġ", "d"), ("Ġd", "u"), ("Ġdu", "l"), ("Ġdul", "l"), ("f", "i"), ("fi", "l"), ("fil", "m"))
_ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())
BYTES = {token: number for number, token in enumerate((*_ALPHABET, *(left + right for left, right in MERGES)))}


def byte_level() -> Tokenizer:
    """As GPT-2's: spaces belong to words, nothing is added, nothing to pad with; bytes, and a few merges of them."""
    tokenizer = Tokenizer(models.BPE(BYTES, list(MERGES)))
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
        size = length - 2 if name.startswith("query") else length  # inputs of one shape share a map
        if name.endswith("input_ids"):
            made[name] = torch.randint(0, words, (2, size), generator=random)
        else:
            made[name] = torch.full((2, size), int("mask" in name))
    return made


LABELS = ("dull", "<b>bright</b>")
TAGS = ("O", "B-LOC", "I-LOC")
OUTPUTS = ("logits", "saliency", "contributions", "residual")


@shared
def text_artifact(kind: str, format: str = "onnx") -> fgcompile.Artifact:
    """An artifact that keeps a tokenizer, by what its model does; ``tagger`` takes texts of 12 tokens, others any."""
    options: dict[str, Any] = {"rules": "libragrad", "psi": "signed", "format": format}
    names = ("input_ids", "attention_mask")
    if kind == "classifier":
        model: nn.Module = Classifier()
        names += ("token_type_ids",)
        options |= {"labels": LABELS, "outputs": OUTPUTS, "dynamic_sizes": True}
    elif kind == "tagger":
        model, options = Tagger(len(VOCABULARY), len(TAGS)), {**options, "labels": TAGS}
    elif kind == "language":
        model, options = Tagger(len(BYTES), len(BYTES), causal=True), {**options, "dynamic_sizes": True}
    elif kind == "embedder":
        model, options = Embedder(), {**options, "target": fgcompile.scores.Similarity()}
    else:
        model, names = TwoTexts(), ("query_input_ids", "query_attention_mask", *names)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = example(*names, length=12 if kind in ("tagger", "two") else 6)
    tokenizer = byte_level() if kind == "language" else wordpiece()
    return fgcompile.compile(model.eval(), made, tokenizer=tokenizer, **options)


def open_text(kind: str, format: str = "onnx") -> fgcompile.Session:
    """The artifact, open."""
    made = text_artifact(kind, format)
    return open_session(made.content, cast(Metadata, made.metadata), kind, threads=1)
