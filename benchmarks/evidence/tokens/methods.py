"""The methods compared: each gives every token of a sample a number, the larger the more it speaks for the class.

Ours are compiled artifacts in ONNX Runtime under each rule set and ψ. Integrated gradients and gradient × input are
captum's, attention rollout (Abnar and Zuidema, ACL 2020, arXiv:2005.00928) is written here, on the weights that the
network's own softmax had.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor

import fgcompile
from benchmarks.evidence.tokens.subjects import Subject, some

STEPS = 50
"""Of integrated gradients: captum's default."""

Explain = Callable[[Subject], Tensor]


def _artifact(subject: Subject, rules: str, psi: str) -> Tensor:
    options: dict[str, Any] = {"rules": rules, "psi": psi, "target": "predicted"}
    artifact = fgcompile.compile(subject.model, some(subject.inputs, slice(2)), **options)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "artifact.onnx"
        artifact.save(path)
        session = fgcompile.load(path)
        explanation = session.explain(tuple(value.numpy() for value in subject.inputs))
    return subject.by_token(torch.from_numpy(explanation.saliency))


def _leave_one_out(subject: Subject) -> Tensor:
    """How much the predicted class's logit falls without each token alone."""
    logits = subject.logits(subject.inputs)
    predicted = logits.argmax(1)
    falls = torch.zeros(subject.present.shape)
    for token in range(subject.present.shape[1]):
        removed = torch.zeros_like(subject.present)
        removed[:, token] = True
        falls[:, token] = (logits - subject.logits(subject.without(subject.inputs, removed))).gather(
            1, predicted[:, None]
        )[:, 0]
    return falls


def _gradient_times_input(subject: Subject) -> Tensor:
    from captum.attr import InputXGradient  # type: ignore[import-untyped]

    return _by_sample(
        subject,
        lambda features, _, logits, target: InputXGradient(logits).attribute(features.requires_grad_(), target=target),
    )


def _integrated_gradients(subject: Subject) -> Tensor:
    """From a sample without any token."""
    from captum.attr import IntegratedGradients

    return _by_sample(
        subject,
        lambda features, without, logits, target: IntegratedGradients(logits).attribute(
            features, without, target=target, n_steps=STEPS
        ),
    )


def _by_sample(subject: Subject, attribute: Callable[..., Tensor]) -> Tensor:
    """Attributions to the predicted class, a sample at a time."""
    found = []
    for sample in range(len(subject.present)):
        inputs = some(subject.inputs, slice(sample, sample + 1))
        attributed = attribute(*subject.features(inputs), subject.logits(inputs).argmax(1))
        found.append(subject.by_token(attributed.detach()))
    return torch.cat(found)


@contextmanager
def _attention_weights() -> Iterator[list[Tensor]]:
    """Collects the mean over heads ``(N, T, T)`` of the weights of each attention that runs."""
    weights: list[Tensor] = []
    attend = F.scaled_dot_product_attention

    def recording(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, **rest: Any) -> Tensor:
        scores = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
        if attn_mask is not None:
            scores = scores.masked_fill(~attn_mask, -torch.inf) if attn_mask.dtype is torch.bool else scores + attn_mask
        weights.append(scores.softmax(-1).mean(1))
        return attend(query, key, value, attn_mask, **rest)

    with mock.patch.object(F, "scaled_dot_product_attention", recording):
        yield weights


def _rollout(subject: Subject) -> Tensor:
    """``Π (½ A + ½ I)`` over the layers, from the place that the logits are read from."""
    with _attention_weights() as weights:
        subject.logits(subject.inputs)
    product = torch.eye(weights[0].shape[-1])
    for layer in weights:
        product = (layer + torch.eye(layer.shape[-1])) / 2 @ product
    return subject.from_logits(product)


def _random(subject: Subject) -> Tensor:
    return torch.rand(subject.present.shape, generator=torch.Generator().manual_seed(0))


METHODS: Mapping[str, tuple[str, Explain]] = {
    **{
        f"{rules}-{psi}": (f'`rules="{rules}"`, `psi="{psi}"`', partial(_artifact, rules=rules, psi=psi))
        for rules in ("taylor", "libragrad", "attnlrp")
        for psi in ("fullgrad", "signed")
    },
    "leave-one-out": ("leave one out", _leave_one_out),
    "integrated-gradients": ("integrated gradients", _integrated_gradients),
    "gradient-times-input": ("gradient × input", _gradient_times_input),
    "attention-rollout": ("attention rollout", _rollout),
    "random": ("random", _random),
}
"""By name on the command line: what it is called, and what it does."""
