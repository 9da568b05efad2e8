"""Parts of axes of dynamic size: halves of a batch made of two inputs, crops and last steps of any signal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import fgcompile
from fgcompile.compiler.pipeline import fuse
from fgcompile.errors import CaptureError, UnsupportedOpError
from tests.support.against_autograd import assert_right
from tests.support.sweeps import few


class Pair(nn.Module):
    """Two inputs through one network in one call, and what becomes of the two halves."""

    def __init__(self, halves: Callable[[Tensor, int], Any]) -> None:
        super().__init__()
        self.network = nn.Sequential(nn.Linear(4, 6), nn.SiLU(), nn.Linear(6, 3))
        self.halves = halves

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        first, second = self.halves(self.network(torch.cat([a, b])), a.shape[0])
        return (first - second).abs()


@pytest.mark.parametrize(
    "halves",
    few(
        [
            lambda z, n: (z[:n], z[n:]),
            lambda z, n: z.chunk(2),
            lambda z, n: torch.split(z, n),
            lambda z, n: z.tensor_split(2),
            lambda z, n: z.split([n, n]),
            lambda z, n: z.view(2, n, -1).unbind(0),
        ],
        3,
    ),
    ids=["slices", "chunk", "split", "tensor_split", "split into sizes", "unbind"],
)
def test_halves_of_a_batch(halves: Callable[[Tensor, int], Any]) -> None:
    assert_right(Pair(halves), (4,), (4,))


class Signal(nn.Module):
    """A convolution over a signal of any length, and a part of its result."""

    def __init__(self, part: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.convolution = nn.Conv1d(2, 4, 3, padding=2)
        self.head = nn.Linear(4, 3)
        self.part = part

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.part(torch.tanh(self.convolution(x)))).mean(-1))


@pytest.mark.parametrize(
    "part",
    few(
        [
            lambda y: y[..., :-2],
            lambda y: y[..., 1:] - y[..., :-1],
            lambda y: y[..., 3:-1],
            lambda y: y[..., -1:] * y[..., 2:3],
            lambda y: y[:, :, -1, None] + y[:, :, 1, None],
            lambda y: y[..., 2:].chunk(2, 2)[1],
            lambda y: y[..., : y.shape[2] // 2] * 2,
        ],
        4,
    ),
    ids=["chomp", "differences", "crop", "slices of one", "places", "chunk", "half"],
)
def test_parts_of_a_signal_of_any_length(part: Callable[[Tensor], Tensor]) -> None:
    assert_right(Signal(part), (2, 12), other_sizes=[[(2, 8)], [(2, 22)]])


def test_coordinates_over_a_picture_of_any_size() -> None:
    class Coordinates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 4, 3)

        def forward(self, x: Tensor) -> Tensor:
            rows = torch.linspace(-1, 1, x.shape[2], dtype=x.dtype).unsqueeze(1).expand(x.shape[0], 1, *x.shape[2:])
            columns = torch.linspace(0, 2, steps=x.shape[3], dtype=x.dtype).expand_as(rows)
            return torch.tanh(self.convolution(torch.cat([x, rows, columns], 1))).mean((2, 3))

    assert_right(Coordinates(), (1, 6, 8), other_sizes=[[(1, 5, 9)], [(1, 13, 4)]])


class Distances(nn.Module):
    def __init__(self, rows: int, **options: Any) -> None:
        super().__init__()
        self.prototypes = nn.Parameter(torch.randn(rows, 3))
        self.options = options

    def forward(self, x: Tensor) -> Tensor:
        return torch.cdist(torch.tanh(x), self.prototypes, **self.options)


@pytest.mark.parametrize(
    ("rows", "options"), [(6, {}), (40, {}), (40, {"p": 1.0}), (6, {"compute_mode": "use_mm_for_euclid_dist"})]
)
def test_distances_of_the_samples_to_prototypes(rows: int, options: dict[str, Any]) -> None:
    assert_right(Distances(rows, **options), (3,))


def test_a_number_of_samples_is_no_part_that_an_artifact_could_read() -> None:
    class Others(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + x[:1]

    with pytest.raises(UnsupportedOpError, match="samples depend on each other"):
        fuse(Others().eval(), torch.randn(2, 3), target=0)


def test_a_model_that_decides_by_its_batch_is_named_where_a_score_is_captured_with_it() -> None:
    class Deciding(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if x.shape[0] <= 25 else x

    with pytest.raises(CaptureError, match=r"^Deciding decides by its batch size: for batch <= 25"):
        fgcompile.compile(Deciding().eval(), torch.randn(2, 3), target=lambda y: y[:, 0])
