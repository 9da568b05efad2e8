"""Ways to read and to write a part of a tensor, as people write them: of ``y (N, 4, 6)``, what each makes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Form = Callable[[Tensor], Tensor]

ALL = slice(None)
MASK = [True, False, True, True, False, True]
ROWS = [True, False, True, True]


def mask() -> Tensor:
    """Which of the six places are chosen."""
    return torch.tensor(MASK)


def both() -> Tensor:
    """Which of 4 · 6 places are chosen: 8."""
    return torch.arange(24).reshape(4, 6) % 3 == 0


def samples(y: Tensor) -> Tensor:
    return torch.arange(y.shape[0])


def layers(y: Tensor) -> Tensor:
    """``(N, 4, 3, 6)``."""
    return y.unsqueeze(2).repeat(1, 1, 3, 1) * torch.arange(1.0, 4.0, dtype=y.dtype)[:, None]


def write(place: Any, value: Callable[[Tensor], Any], of: Form = lambda y: y * 1.0) -> Form:
    """``z[place] = value``; the place may be a function of ``y``."""

    def form(y: Tensor) -> Tensor:
        z = of(y)
        z[place(y) if callable(place) else place] = value(y)
        return z

    return form


def change(part: Callable[[Tensor], Tensor], by: Callable[[Tensor, Tensor], Any]) -> Form:
    """Something done in place to a view of what is returned."""

    def form(y: Tensor) -> Tensor:
        z = y * 1.0
        by(part(z), y)
        return z

    return form


def half(_: Tensor) -> float:
    return 0.5


def columns(y: Tensor, *places: int) -> Tensor:
    """An index ``(N, 4, len(places))``."""
    return torch.tensor(places).expand(y.shape[0], 4, len(places))


def reduce(name: str, include_self: bool = True) -> Form:
    return lambda y: y.scatter_reduce(2, columns(y, 1, 1, 0), y[:, :, :3] * 2, name, include_self=include_self)


def add_each(y: Tensor) -> Tensor:
    z = y.clone()
    return z.index_put_((samples(y)[:, None], torch.tensor([0, 2, 2])), y[:, :3] * 2, accumulate=True)


def add_to_steps(y: Tensor) -> Tensor:
    z = y * 1.0
    z[..., ::2] += y[..., 1::2]
    return z


def add_by_mask(y: Tensor) -> Tensor:
    z = y * 1.0
    z[:, :, mask()] += y[:, :, :4]
    return z


def write_to_views(y: Tensor) -> Tensor:
    z = y * 1.0
    part = z[:, 1:][:, :, ::2]
    part[:, 0] += 1.0
    part[:, -1].mul_(y[:, 0, :3])
    return z


def swap(y: Tensor) -> Tensor:
    z = y.clone()
    z[:, 0], z[:, 1] = y[:, 1], y[:, 0]
    return z


def write_a_mask(y: Tensor) -> Tensor:
    chosen = torch.zeros(6, dtype=torch.bool)
    chosen[1:3] = True
    chosen[-1] = True
    return y[:, :, chosen].mean(2) + y.sum(2)


def loop(y: Tensor) -> Tensor:
    z = torch.zeros_like(y)
    for i in range(4):
        z[:, i] = y[:, : i + 1].sum(1)
    return z


KEPT: dict[str, Form] = {
    # Reads.
    "mask": lambda y: y[:, :, mask()],
    "mask as a list": lambda y: y[:, ROWS],
    "mask of two axes": lambda y: y[:, both()],
    "mask that is written": write_a_mask,
    "mask and pooling": lambda y: F.avg_pool1d(y[:, :, torch.arange(6) % 2 == 0].relu(), 2),
    "where of a mask": lambda y: y[:, :, torch.where(mask())[0]],
    "where of two axes": lambda y: y[:, torch.where(both())[0], torch.where(both())[1]],
    "nonzero": lambda y: y[:, :, mask().nonzero().squeeze(1)],
    "indices that an axis parts": lambda y: layers(y)[:, [0, 2], :, [1, 3]].transpose(0, 1),
    "an integer and a list that an axis parts": lambda y: layers(y)[:, 0, :, [1, 3]],
    "rows of all samples": lambda y: y.flatten(0, 1)[
        torch.arange(y.shape[0]) * 4 + (y[..., 0] > 0).sum(1).clamp(max=3)
    ],
    "negative steps of slices": lambda y: y[:, -3:-1, -5::2],
    "tensor_split": lambda y: torch.cat(y.tensor_split((1, 3), 1)[::-1], 1),
    "rot90": lambda y: torch.rot90(y, 1, (1, 2)),
    "take_along_dim of a constant": lambda y: y.reshape(-1, 24).take_along_dim(torch.tensor([[3, 5, 0]]), 1),
    "fold": lambda y: F.fold(y.reshape(-1, 4, 6), (3, 4), (2, 2)),
    "index of a tensor without axes": lambda y: y[:, torch.tensor(2)],
    # Writes at constant places.
    "mask written": write((ALL, ALL, mask()), lambda y: y[:, :, :4] * 2),
    "mask written with one": write((ALL, ALL, mask()), lambda y: y[:, :, :1] * 2),
    "mask written by a number": write((ALL, both()), half),
    "mask of two axes written": write((ALL, both()), lambda y: y.flatten(1)[:, :8] * 2),
    "mask added to": add_by_mask,
    "where written": write(lambda y: (ALL, ALL, torch.where(mask())[0]), lambda y: y[:, :, :4] * 2),
    "masked_scatter that fits": lambda y: y.masked_scatter(mask(), y[:, :, :4] * 2),
    "masked_fill_ that broadcasts": change(lambda z: z, lambda z, y: z.masked_fill_(mask(), 0.5)),
    "tril_": change(lambda z: z, lambda z, y: z.tril_(1)),
    "triu_": change(lambda z: z, lambda z, y: z.triu_(-1)),
    "diagonal filled": change(lambda z: z.diagonal(1, 1, 2), lambda z, y: z.fill_(0.5)),
    "diagonal added to": change(lambda z: z.diagonal(-1, 1, 2), lambda z, y: z.add_(y[:, 0, :3])),
    "diagonal_scatter": lambda y: y.diagonal_scatter(y[:, :3, 0] * 2, -1, 1, 2),
    "steps added to": add_to_steps,
    "negative integers": write((ALL, -1, -2), lambda y: y[:, 0, 0] * 2),
    "ellipsis and a new axis": write((..., None, 2), lambda y: y[..., :1] * 2),
    "parted by an axis, a number": write((ALL, [0, 2], ALL, [1, 3]), half, layers),
    "parted by an axis": write((ALL, [0, 2], ALL, [1, 3]), lambda y: y[:, :2, :3].transpose(0, 1) * 2, layers),
    "rows of rows": write((ALL, [[0, 1], [2, 3]]), lambda y: y.reshape(-1, 2, 2, 6) * 2),
    "one for several": write((ALL, [0, 2]), lambda y: y[:, :1] * 2),
    "a tensor without axes": write((ALL, torch.tensor(2)), lambda y: y[:, 0] * 2),
    "views of views": write_to_views,
    "a transposed view": change(lambda z: z.mT[:, 1:3], lambda z, y: z.copy_(y[:, :, :2].mT * 2)),
    "a flat view": change(lambda z: z.view(-1, 24)[:, 3:20:4], lambda z, y: z.fill_(0.5)),
    "rows exchanged": swap,
    "in a loop": loop,
    "index_add": lambda y: y.index_add(2, torch.tensor([0, 2, 2]), y[:, :, 1:4] * 2, alpha=0.5),
    "index_copy": lambda y: y.index_copy(1, torch.tensor([3, 0]), y[:, 1:3] * 2),
    "index_fill": lambda y: y.index_fill(1, torch.tensor([3, 0]), 0.5),
    "index_reduce": lambda y: y.index_reduce(1, torch.tensor([3, 0, 3]), y[:, 1:] * 2, "amax"),
    "index_put that adds": lambda y: y.mT.contiguous().index_put(
        (samples(y)[:, None], torch.tensor([0, 2, 2])), y[:, :3, :4] * 2, accumulate=True
    ),
    "scatter": lambda y: y.scatter(2, columns(y, 1, 4, 0), y[:, :, :3] * 2),
    "scatter of a number": lambda y: y.scatter(2, columns(y, 1, 4, 0), 2.0),
    "scatter of a part": lambda y: y.scatter(2, columns(y, 1, 4, 0)[:, :2], y[:, :2, :3] * 2),
    "scatter_add": lambda y: y.scatter_add(2, columns(y, 1, 1, 0), y[:, :, :3] * 2),
    "scatter_add of a part": lambda y: y.scatter_add(2, columns(y, 1, 1, 0)[:, :2], y[:, :2, :3] * 2),
    **{f"scatter_reduce, {name}": reduce(name) for name in ("sum", "mean", "amax", "amin", "prod")},
    **{f"scatter_reduce without self, {name}": reduce(name, False) for name in ("sum", "mean", "amax", "amin", "prod")},
    # Writes at places that the input decides.
    "scatter where it says": lambda y: y.scatter(2, y.argsort(2)[:, :, :2], y[:, :, :2] * 2),
    "a number of each sample": write(lambda y: (samples(y), y.sum(2).argmax(1)), half),
    "a row of each sample": write(lambda y: (samples(y), y.sum(2).argmax(1) - 4), lambda y: y[:, 0] * 2),
    "a place of each sample": write(
        lambda y: (samples(y), y.sum(2).argmax(1), y[:, 0].argmin(1)), lambda y: y[:, 0, 0] * 2
    ),
    "a column of each sample": write(lambda y: (samples(y), ALL, y[:, 0].argmin(1)), lambda y: y[:, :, 0] * 2),
    "rows of each sample": write(lambda y: (samples(y)[:, None], y.sum(2).argsort(1)[:, :2]), lambda y: y[:, :2] * 2),
    "added for each sample": add_each,
}
"""What compiles."""

REFUSED: dict[str, tuple[Form, str]] = {
    "masked_scatter": (lambda y: y.masked_scatter(y > 0, y.flip(2)), r"masked_scatter.*\.py:\d+.*torch\.where"),
    "masked_scatter that leaves some": (lambda y: y.masked_scatter(mask(), y.flip(2)), "masked_scatter.*next"),
    "put": (lambda y: y.put(torch.tensor([0, 3]), torch.ones(2, dtype=y.dtype)), r"put.*\.py:\d+.*all samples"),
    "mask of the input": (lambda y: y * y[y > 0].sum(), "depends on values"),
    "what a mask of the input chose": (lambda y: write(y > 0, lambda y: (y * 2)[y > 0])(y), "depends on values"),
    "storage": (
        lambda y: y.contiguous().as_strided_scatter(y[:, :3, :4].contiguous(), (y.shape[0], 3, 4), (24, 6, 1), 2),
        r"as_strided_scatter.*\.py:\d+",
    ),
    "the batch turned": (lambda y: y + y.roll(1, 0), "other samples of its batch"),
    "a sample for all": (lambda y: y + y[:1], "samples depend on each other"),
    "a sample overwritten": (write(0, half), "other samples of its batch"),
    "a list of samples overwritten": (write(([0],), half), "other samples of its batch|no lowering"),
}
"""What is refused, and words of the error."""
