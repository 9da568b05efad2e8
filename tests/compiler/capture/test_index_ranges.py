"""Which axes an integer input indexes, found in the graph as it was exported."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.ir.programs import IndexedAxis
from tests.support.sweeps import few


class Words(nn.Module):
    """Logits (N, L, 7) of ids."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(11, 4), nn.Linear(4, 7)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


def samples(y: Tensor) -> Tensor:
    return torch.arange(y.shape[0], device=y.device)


def written(y: Tensor, at: Tensor) -> Tensor:
    z = y * 1.0
    z[samples(y), at] = 0.5
    return z


@pytest.mark.parametrize(
    ("score", "shape", "expected"),
    few(
        [
            (lambda y, at: y[samples(y), at, 0], (), [IndexedAxis(5, True)]),
            (lambda y, at: y[:, 0].gather(1, at.unsqueeze(1)).squeeze(1), (), [IndexedAxis(7, False)]),
            (lambda y, at: (y[:, 0] * F.one_hot(at, 7)).sum(1), (), [IndexedAxis(7, False)]),
            (
                lambda y, at: y[samples(y), at[:, 0], at[:, -1]],
                (2,),
                [IndexedAxis(5, True, (1, 0, 1)), IndexedAxis(7, True, (1, 1, 2))],
            ),
            (lambda y, at: y[samples(y)[:, None], at, 0].sum(1), (3,), [IndexedAxis(5, True)]),
            (lambda y, at: y[samples(y), at.clamp(0, 4), 0], (), []),
            (lambda y, at: y[samples(y), at % 5, 0], (), []),
            (lambda y, at: y[samples(y), at + 1, 0], (), [IndexedAxis(5, True, offset=1)]),
            (lambda y, at: y[:, 0].gather(1, at[:, :1] + 2).sum(1), (2,), [IndexedAxis(7, False, (1, 0, 1), 2)]),
            (lambda y, at: -F.cross_entropy(y[:, 0], at, reduction="none"), (), [IndexedAxis(7, False, ignored=-100)]),
            (
                lambda y, at: -F.nll_loss(y.log_softmax(2).mT, at, ignore_index=-1, reduction="none").sum(1),
                (5,),
                [IndexedAxis(7, False, ignored=-1)],
            ),
            (lambda y, at: y[:, 0].scatter(1, at[:, None], 0.0).sum(1), (), [IndexedAxis(7, False)]),
            (lambda y, at: written(y, at).sum((1, 2)), (), [IndexedAxis(5, True)]),
        ],
        7,
    ),
    ids=[
        *("index", "gather", "one_hot", "columns", "several", "clamped", "computed"),
        *("moved", "column moved", "cross_entropy", "nll_loss", "scatter", "written"),
    ],
)
def test_what_is_read_as_it_was_given(
    score: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...], expected: list[IndexedAxis]
) -> None:
    ids, at = torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, *shape, dtype=torch.int64)
    captured = capture(Words().eval(), ids, score, score_inputs={"at": at})
    assert captured.indexed == ((IndexedAxis(11, False),), tuple(expected))


class Writing(nn.Module):
    """Writes integers in place: its own, as relative positions are counted, or those that it was given."""

    def __init__(self, given: bool) -> None:
        super().__init__()
        self.given, self.words, self.near = given, nn.Embedding(11, 4), nn.Embedding(5, 4)

    def forward(self, ids: Tensor) -> Tensor:
        apart = torch.arange(ids.shape[1], device=ids.device) * 2
        apart += 1
        read = ids.clone()
        if self.given:
            read[:, 0] = 0
        return (self.words(read) + self.near(apart.clamp(max=4))).mean(1)


@pytest.mark.parametrize("given", [False, True])
def test_what_is_written_elsewhere_is_no_concern_of_the_ids(given: bool) -> None:
    captured = capture(Writing(given).eval(), torch.zeros(2, 5, dtype=torch.int64))
    assert captured.indexed == (() if given else (IndexedAxis(11, False),),)
