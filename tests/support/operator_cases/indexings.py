"""Slicing, indexing, padding, reductions."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from tests.support.operator_cases.case import OperatorCase, Shape


def _indexing(name: str, function: Callable[..., Tensor], *inputs: Shape) -> OperatorCase:
    return OperatorCase(name, function, inputs or ((3, 6, 7),), family="indexing")


def _samples(x: Tensor) -> Tensor:
    return torch.arange(x.shape[0], device=x.device)


def _assign_number(x: Tensor) -> Tensor:
    y = x * 2.0
    y[:, 1] = 0.5
    return y


def _assign_by_mask(x: Tensor) -> Tensor:
    y = x * 2.0
    y[y < 0] = 0.5
    return y


def _assign(*place: slice | int | list[int]) -> Callable[..., Tensor]:
    """Writes into a part of what is read later too, at a place behind the batch; what is written is an activation."""

    def write(x: Tensor) -> Tensor:
        y = x * 2.0
        y[(slice(None), *place)] = x[(slice(None), *place)].flip(-1) * 0.5 + 1.0
        return y

    return write


def _assign_number_at(*place: slice | list[int] | list[bool]) -> Callable[..., Tensor]:
    def write(x: Tensor) -> Tensor:
        y = x * 2.0
        y[(slice(None), *place)] = 0.5
        return y

    return write


def _assign_diagonal(offset: int, dim1: int, dim2: int) -> Callable[..., Tensor]:
    def write(x: Tensor) -> Tensor:
        y = x * 2.0
        diagonal = y.diagonal(offset, dim1, dim2)
        diagonal[:] = diagonal.flip(-1) * x.amax((1, 2, 3)).reshape(-1, 1, 1)
        return y

    return write


def _assign_number_to_the_diagonal(x: Tensor) -> Tensor:
    y = x * 2.0
    y.diagonal(0, 2, 3)[:] = 0.5
    return y


def _assign_vector_by_mask(x: Tensor) -> Tensor:
    y = x * 2.0
    y[x[..., 0] > 0] = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=x.dtype)
    return y


def _interleave(x: Tensor) -> Tensor:
    """As rotary embeddings are written."""
    turned = torch.empty_like(x)
    turned[..., 0::2], turned[..., 1::2] = -x[..., 1::2], x[..., 0::2]
    return x * 0.3 + turned * 0.7


WRITES = (
    _indexing("written with a step", _assign(slice(None, None, 2))),
    _indexing("written with a step that does not divide", _assign(slice(None), slice(1, None, 4))),
    _indexing("written with a step, from the end", _assign(slice(None), slice(None), slice(-6, -1, 3))),
    _indexing("written beyond the end", _assign(slice(None), slice(-99, 99, 4))),
    _indexing("written from before the beginning", _assign(slice(None), slice(-99, 3))),
    _indexing("written with two steps", _assign(slice(None), slice(1, None, 3), slice(None, None, 2))),
    _indexing("written nowhere", _assign(slice(None), slice(5, 2))),
    _indexing("number written with a step", _assign_number_at(slice(None), slice(1, 5, 2))),
    _indexing("written interleaved", _interleave, (3, 6)),
    _indexing("written interleaved, odd", lambda x: _interleave(F.pad(x, (0, 1)))[..., :5], (3, 5)),
    _indexing("written to a diagonal", _assign_diagonal(0, 2, 3)),
    _indexing("written to a diagonal, off", _assign_diagonal(-2, 2, 3)),
    _indexing("written to a diagonal of turned axes", _assign_diagonal(1, 3, 1)),
    _indexing("number written to a diagonal", _assign_number_to_the_diagonal),
    _indexing("written at integers", _assign([0, 2])),
    _indexing("written at integers from the end", _assign([-1, 0])),
    _indexing("written at two integers", _assign(slice(None), [0, 2, 5], [3, -1, 0])),
    _indexing("number written at integers", _assign_number_at(slice(None), [0, 3])),
    _indexing("number written by a mask of rows", _assign_number_at([True, False, True])),
    _indexing("vector written by a mask", _assign_vector_by_mask, (3, 4)),
)

INDEXINGS = (
    *WRITES,
    _indexing("slice", lambda x: x[:, 1:, 2:5]),
    _indexing("slice with a step", lambda x: x[:, :, 1::2, ::3]),
    _indexing("slice with a step to the end", lambda x: x[:, :, ::2, 1:6:2]),
    _indexing("select", lambda x: x[:, 1]),
    _indexing("select last", lambda x: x[:, :, -1]),
    _indexing("class token", lambda x: x[:, 0] * 2.0, (5, 4)),
    _indexing("narrow", lambda x: x.narrow(2, 1, 3)),
    _indexing("split", lambda x: torch.mul(*x.split(3, 2))),
    _indexing("chunk", lambda x: torch.add(*x.chunk(2, 2))),
    _indexing("unbind before the batch", lambda x: torch.mul(*x.reshape(-1, 2, 3).transpose(0, 1)), (6,)),
    _indexing("slice before the batch", lambda x: x.transpose(0, 2)[1:3, ::2].transpose(0, 2)),
    _indexing("unbind", lambda x: x.unbind(1)[0] * x.unbind(1)[2]),
    _indexing("constant index", lambda x: x[:, [0, 2, 0]]),
    _indexing("two constant indices", lambda x: x[:, :, [0, 2, 1], [3, 3, 5]]),
    _indexing("index_select", lambda x: x.index_select(2, torch.arange(4, device=x.device) + 1)),
    _indexing("flip", lambda x: x.flip(2, 3)),
    _indexing("roll", lambda x: x.roll((1, -2), (2, 3))),
    _indexing("cat", lambda x, y: torch.cat([x, y], 1), (3, 4, 5), (2, 4, 5)),
    _indexing("stack", lambda x, y: torch.stack([x, y], 2), (3, 4), (3, 4)),
    _indexing("permute, reshape", lambda x: x.permute(0, 2, 3, 1).flatten(1, 2)),
    _indexing("expand", lambda x: x.unsqueeze(2).expand(-1, -1, 4, -1, -1), (3, 2, 5)),
    _indexing("repeat", lambda x: x.repeat(1, 2, 1, 3), (3, 2, 5)),
    _indexing("repeat_interleave", lambda x: x.repeat_interleave(2, 1), (3, 2, 5)),
    _indexing("repeat_interleave of the last axis", lambda x: x.repeat_interleave(3, -1), (3, 2)),
    _indexing("diag_embed", lambda x: torch.diag_embed(x), (3, 4)),
    _indexing("diag_embed, off", lambda x: torch.diag_embed(x, 1, 1, 2), (3, 4)),
    _indexing("diagonal", lambda x: x.diagonal(0, 2, 3), (3, 5, 4)),
    _indexing("diagonal, off", lambda x: x.diagonal(1, 1, 2), (4, 5, 3)),
    _indexing("tril", lambda x: x.tril(), (3, 5, 4)),
    _indexing("cumsum", lambda x: x.cumsum(2)),
    _indexing("cumsum, channels", lambda x: x.cumsum(1)),
    _indexing("pad", lambda x: F.pad(x, (1, 2, 0, 3))),
    _indexing("pad, crops", lambda x: F.pad(x, (-1, 2, 1, -2))),
    _indexing("pad with a value", lambda x: F.pad(x, (1, 0, 0, 1), value=2.0)),
    _indexing("reflection_pad1d", lambda x: F.pad(x, (2, 1), mode="reflect"), (3, 6)),
    _indexing("reflection_pad2d", lambda x: F.pad(x, (2, 1, 3, 0), mode="reflect")),
    _indexing("reflection_pad3d", lambda x: F.pad(x, (2, 1, 1, 0, 0, 1), mode="reflect"), (2, 3, 4, 5)),
    _indexing("replication_pad1d", lambda x: F.pad(x, (2, 1), mode="replicate"), (3, 6)),
    _indexing("replication_pad2d", lambda x: F.pad(x, (2, 1, 3, 0), mode="replicate")),
    _indexing("replication_pad3d", lambda x: F.pad(x, (2, 1, 1, 0, 0, 1), mode="replicate"), (2, 3, 4, 5)),
    _indexing("circular padding of a signal", lambda x: F.pad(x, (2, 1), mode="circular"), (3, 6)),
    _indexing("circular padding", lambda x: F.pad(x, (2, 1, 0, 3), mode="circular")),
    _indexing("circular padding of a volume", lambda x: F.pad(x, (2, 1, 0, 1, 1, 0), mode="circular"), (2, 3, 4, 5)),
    _indexing("slice_scatter", lambda x, y: torch.slice_scatter(x, y, 2, 1, 4), (3, 6, 7), (3, 3, 7)),
    _indexing("slice_scatter at the end", lambda x, y: torch.slice_scatter(x, y, 3, -2), (3, 6, 7), (3, 6, 2)),
    _indexing("select_scatter", lambda x, y: torch.select_scatter(x, y, 1, 1), (3, 6, 7), (6, 7)),
    _indexing("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (8, 3, 4)),
    _indexing("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (2, 4, 6)),
    _indexing("channel_shuffle", lambda x: F.channel_shuffle(x, 2), (4, 3, 3)),
    _indexing("tensor.unfold", lambda x: x.unfold(2, 3, 1)),
    _indexing("tensor.unfold, two axes", lambda x: x.unfold(2, 2, 2).unfold(3, 3, 2)),
    _indexing("im2col", lambda x: F.unfold(x, 3, padding=1, stride=2)),
    _indexing("im2col, dilated", lambda x: F.unfold(x, (2, 3), dilation=(2, 1), padding=(1, 0)), (2, 5, 6)),
    _indexing("col2im", lambda x: F.fold(x, (5, 6), 3, padding=1, stride=2), (18, 9)),
    _indexing("im2col, patches", lambda x: F.unfold(x, 2, stride=2), (3, 6, 8)),
    _indexing("amax", lambda x: x.amax(1)),
    _indexing("amax over space", lambda x: x.amax((2, 3), keepdim=True)),
    _indexing("amin", lambda x: x.amin(2)),
    _indexing("max along an axis", lambda x: x.max(2).values),
    _indexing("max along an axis, kept", lambda x: x.max(1, keepdim=True)[0]),
    _indexing("min along an axis", lambda x: x.min(3).values),
    _indexing("median", lambda x: x.median(2).values),
    _indexing("topk", lambda x: x.topk(2, 1).values, (5, 4)),
    _indexing("sort", lambda x: x.sort(2).values),
    _indexing("kthvalue", lambda x: x.kthvalue(2, 2).values),
    _indexing("cummax", lambda x: x.cummax(2).values),
    _indexing("gather", lambda x: x.gather(2, x.argsort(2)[:, :, :2])),
    _indexing("a token of each sample", lambda x: x[torch.arange(x.shape[0]), x.sum(2).argmax(1)], (5, 4)),
    _indexing("a token of each, from the end", lambda x: x[torch.arange(x.shape[0]), x.argmax(1) - 5], (5,)),
    _indexing("a row of each sample", lambda x: x[torch.arange(x.shape[0]), x.sum((2, 3)).argmin(1)], (3, 2, 4)),
    _indexing("an element of each sample", lambda x: x[_samples(x), x[:, :, 0].argmax(1), x[:, 0].argmax(1)], (5, 4)),
    _indexing("a column of each sample", lambda x: x[_samples(x), :, x[:, 0].argmax(1) - 4] * x[:, :, 0], (5, 4)),
    _indexing("rows of each sample", lambda x: x[_samples(x)[:, None], x.argsort(1)[:, 1:, 0]], (5, 4)),
    _indexing("elements of each sample", lambda x: x[_samples(x)[:, None], x.argsort(1)[:, :, 0], 2], (5, 4)),
    _indexing("a pixel of each sample", lambda x: x[_samples(x), 1, x.sum((1, 3)).argmax(1), x[:, 0, 0].argmin(1)]),
    _indexing("take_along_dim", lambda x: x.take_along_dim(x.argmax(1, keepdim=True), 1), (5, 4)),
    _indexing("take_along_dim, broadcast", lambda x: torch.take_along_dim(x, x[:, :1].argsort(2), 2), (5, 4)),
    _indexing("pairs", lambda x, y: (x @ y.mT).diagonal(), (4,), (4,)),
    _indexing("pairs at both", lambda x, y: (x @ y.mT)[_samples(x), _samples(x)], (4,), (4,)),
    _indexing("maximum", torch.maximum, (3, 4), (3, 4)),
    _indexing("minimum", torch.minimum, (3, 4), (3, 4)),
    _indexing("where, a number", lambda x: torch.where(x > 0, x, 0.1), (3, 4)),
    _indexing("where, two numbers", lambda x: x + torch.where(x > 0, 1.0, -1.0), (3, 4)),
    _indexing("bucketize", lambda x: x * torch.bucketize(x, torch.tensor([-1.0, 0.0, 1.0], dtype=x.dtype)), (3, 4)),
    _indexing("one-hot of the largest", lambda x: x * F.one_hot(x.argmax(1), 4), (4,)),
    _indexing("assigned number", _assign_number, (3, 4)),
    _indexing("assigned by a mask", _assign_by_mask, (3, 4)),
    _indexing("scatter", lambda x: torch.zeros_like(x).scatter(1, x.argsort(1), x), (3, 4)),
    _indexing("where", lambda x, y: torch.where(x > 0, x, y), (3, 4), (3, 4)),
    _indexing("masked_fill", lambda x: x.masked_fill(x > 1, -2.0)),
    _indexing("padded windows", lambda x: F.pad(x, (1, 1)).unfold(3, 3, 1)),
    _indexing("as_strided", lambda x: x.contiguous().as_strided((x.shape[0], 3, 4, 3), (18, 6, 1, 1)), (3, 6)),
    _indexing("as_strided, offset", lambda x: x.contiguous().as_strided((x.shape[0], 3, 2), (18, 4, 2), 1), (3, 6)),
    _indexing("prod", lambda x: x.prod(2)),
    _indexing("norm", lambda x: x.norm(dim=1)),
    _indexing("std", lambda x: x.std((2, 3))),
    _indexing("logsumexp", lambda x: x.logsumexp(1)),
)
