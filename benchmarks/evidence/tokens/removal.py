"""Removing tokens in the order of a method, and what that does to the predicted class.

Of each sample the tokens go in ten steps, those of the largest value first, and then again those of the smallest first;
``p`` is the probability of the class that the whole sample has. Areas are means over the steps:

    most first    the area under ``p``: small where a method finds what the class rests on,
    least first   likewise: large where what it calls irrelevant is,
    gap           their difference, by sample.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.evidence.tokens.subjects import Subject

STEPS = 10


@dataclass(frozen=True)
class Areas:
    """The areas of each sample, ``(S,)``."""

    most_first: NDArray[np.float64]
    least_first: NDArray[np.float64]

    @property
    def gap(self) -> NDArray[np.float64]:
        """The difference, by sample."""
        return self.least_first - self.most_first


def removal_areas(subject: Subject, values: Tensor) -> Areas:
    """The areas of a method's values ``(S, T)``; ties in an order of chance."""
    chance = torch.rand(values.shape, generator=torch.Generator().manual_seed(1))
    order = np.lexsort((chance.numpy(), values.numpy()), axis=1)
    rank = torch.from_numpy(np.argsort(order, axis=1))  # 0 for the smallest
    return Areas(_area(subject, _descending(rank, subject.present)), _area(subject, _ascending(rank, subject.present)))


def _ascending(rank: Tensor, present: Tensor) -> Tensor:
    """The turn of each token that is there, as a share of the sample's tokens; what is not there never has one."""
    last = rank.masked_fill(~present, rank.shape[1]).argsort(1).argsort(1)
    return ((last + 0.5) / present.sum(1, keepdim=True)).masked_fill(~present, 2.0)


def _descending(rank: Tensor, present: Tensor) -> Tensor:
    return _ascending(rank.shape[1] - 1 - rank, present)


def _area(subject: Subject, turn: Tensor) -> NDArray[np.float64]:
    predicted = subject.logits(subject.inputs).argmax(1, keepdim=True)
    steps = []
    for step in range(1, STEPS + 1):
        logits = subject.logits(subject.without(subject.inputs, turn < step / STEPS))
        steps.append(logits.softmax(1).gather(1, predicted)[:, 0])
    return torch.stack(steps).mean(0).double().numpy()
