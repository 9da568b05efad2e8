"""Trained Transformers whose tokens can be taken away.

Patches of an image become the mean grey, words of a text are masked out of the attention and of the mean behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from examples.sentiment.network import load, train, written
from examples.vision_transformer.mosaics import load_samples, make_mosaics
from examples.vision_transformer.network import load_trained

SIDE = 7
"""Pixels of a patch's side."""


@dataclass(frozen=True)
class Subject:
    """A trained network and samples ``S`` of it.

    Attributes:
        name: In the records.
        label: In tables.
        model: Takes the inputs, returns logits ``(N, K)``.
        inputs: All samples, batch first.
        present: Which tokens each sample has, bool ``(S, T)``.
        without: The inputs of some samples without the tokens that a bool ``(N, T)`` marks.
        by_token: Adds up values of the shape of a map or gradient to those of tokens, ``(N, T)``.
        features: What gradients are taken of: the part of the inputs that is a float, what it is without any token, and
            the logits as a function of it.
        from_logits: Of attention matrices ``(N, T', T')`` the mean of the rows that the logits are read from, and the
            columns that are tokens.
    """

    name: str
    label: str
    model: nn.Module
    inputs: tuple[Tensor, ...]
    present: Tensor
    without: Callable[[tuple[Tensor, ...], Tensor], tuple[Tensor, ...]]
    by_token: Callable[[Tensor], Tensor]
    features: Callable[[tuple[Tensor, ...]], tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]]
    from_logits: Callable[[Tensor], Tensor]

    def logits(self, inputs: tuple[Tensor, ...]) -> Tensor:
        """Those of a batch, without gradients."""
        with torch.no_grad():
            logits: Tensor = self.model(*inputs)
        return logits


def vision_transformer() -> Subject:
    """``examples/vision_transformer``: 8 × 8 patches of 200 mosaics."""
    images = make_mosaics(load_samples(), torch.Generator().manual_seed(0)).images
    model, grey = load_trained(), float(images.mean())

    def without(inputs: tuple[Tensor, ...], removed: Tensor) -> tuple[Tensor, ...]:
        side = images.shape[-1] // SIDE
        pixels = removed.reshape(-1, 1, side, side).repeat_interleave(SIDE, 2).repeat_interleave(SIDE, 3)
        return (torch.where(pixels, grey, inputs[0]),)

    def by_token(values: Tensor) -> Tensor:
        return values.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).sum((1, 4, 5)).flatten(1)

    return Subject(
        "vision-transformer",
        "Vision Transformer, 64 patches of a mosaic",
        model,
        (images,),
        torch.ones(len(images), by_token(images[:1]).shape[1], dtype=torch.bool),
        without,
        by_token,
        lambda inputs: (inputs[0], torch.full_like(inputs[0], grey), model),
        lambda weights: weights[:, 0, 1:],
    )


def sentiment() -> Subject:
    """``examples/sentiment``: a head on MiniLM, of the sentences that were written by hand; [CLS] and [SEP] stay."""
    model, tokenizer = load()
    train(model, tokenizer)
    encoded = tokenizer([text for text, _ in written()], padding=True, return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    present = mask.bool() & (ids != tokenizer.cls_token_id) & (ids != tokenizer.sep_token_id)
    embed = model.encoder.get_input_embeddings()

    def features(inputs: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, Callable[[Tensor], Tensor]]:
        ids, mask = inputs
        words = (ids != tokenizer.cls_token_id) & (ids != tokenizer.sep_token_id)
        nothing = torch.where(words, torch.full_like(ids, tokenizer.pad_token_id), ids)

        def logits(embedded: Tensor) -> Tensor:
            attended = mask.expand(len(embedded), -1)
            tokens = model.encoder(inputs_embeds=embedded, attention_mask=attended).last_hidden_state
            found: Tensor = model.head((tokens * attended[..., None]).sum(1) / attended.sum(1, keepdim=True))
            return found

        return embed(ids).detach(), embed(nothing).detach(), logits

    return Subject(
        "sentiment",
        "sentiment head on all-MiniLM-L6-v2, words of a sentence",
        model,
        (ids, mask),
        present,
        lambda inputs, removed: (inputs[0], inputs[1] * ~removed),
        lambda values: values[:, 0] if values.shape[1] == 1 else values.sum(-1),
        features,
        lambda weights: (weights * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True),
    )


SUBJECTS: Mapping[str, Callable[[], Subject]] = {"vision-transformer": vision_transformer, "sentiment": sentiment}
"""By name on the command line."""


def some(inputs: tuple[Tensor, ...], places: Any) -> tuple[Tensor, ...]:
    """The inputs of some samples."""
    return tuple(value[places] for value in inputs)
