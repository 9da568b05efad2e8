"""Which axes an integer input indexes, found in the graph as it was exported."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.ir.programs import IndexedAxis


class Words(nn.Module):
    """Logits (N, L, 7) of ids."""

    def __init__(self) -> None:
        super().__init__()
        self.table, self.head = nn.Embedding(11, 4), nn.Linear(4, 7)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.table(ids))


def samples(y: Tensor) -> Tensor:
    return torch.arange(y.shape[0], device=y.device)


@pytest.mark.parametrize(
    ("score", "shape", "expected"),
    [
        (lambda y, at: y[samples(y), at, 0], (), [IndexedAxis(5, True)]),
        (lambda y, at: y[:, 0].gather(1, at.unsqueeze(1)).squeeze(1), (), [IndexedAxis(7, False)]),
        (lambda y, at: (y[:, 0] * nn.functional.one_hot(at, 7)).sum(1), (), [IndexedAxis(7, False)]),
        (
            lambda y, at: y[samples(y), at[:, 0], at[:, -1]],
            (2,),
            [IndexedAxis(5, True, (1, 0, 1)), IndexedAxis(7, True, (1, 1, 2))],
        ),
        (lambda y, at: y[samples(y)[:, None], at, 0].sum(1), (3,), [IndexedAxis(5, True)]),
        (lambda y, at: y[samples(y), at.clamp(0, 4), 0], (), []),
        (lambda y, at: y[samples(y), at % 5, 0], (), []),
    ],
    ids=["index", "gather", "one_hot", "columns", "several", "clamped", "computed"],
)
def test_what_is_read_as_it_was_given(
    score: Callable[[Tensor, Tensor], Tensor], shape: tuple[int, ...], expected: list[IndexedAxis]
) -> None:
    ids, at = torch.zeros(2, 5, dtype=torch.int64), torch.zeros(2, *shape, dtype=torch.int64)
    captured = capture(Words().eval(), ids, score, score_inputs={"at": at})
    assert captured.indexed == ((IndexedAxis(11, False),), tuple(expected))
