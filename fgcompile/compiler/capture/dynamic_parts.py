"""Parts of an axis whose size is dynamic, as pieces of a split, whose gradient is a concatenation of any size.

    y[:n], y[n:]        →  split(y, [n, size − n])            where the batch is two halves, say
    y[..., 1:-2]        →  split(y, [1, size − 3, 2])
    y[..., -1]          →  squeeze(split(y, [size − 1, 1])[1])
    chunk(y, 2)         →  split(y, [size / 2, size / 2])     where the size is even, whatever it is

PyTorch's own ``chunk`` and ``split`` count their pieces by the size, ``cdist`` chooses its form by it and ``linspace``
takes no other, which would make a number of it: they are called with the number, or the form, that holds for all sizes.
Of two inputs' batches in one tensor, the halves are equal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import SymInt, Tensor

from fgcompile.compiler.ir.sizes import hint, is_fixed
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten  # its operators are untyped, hence:
# mypy: no-warn-return-any

TO_THE_END = torch.iinfo(torch.int64).max
"""What PyTorch writes for it."""

IF_NECESSARY, BY_PRODUCT, BY_DIFFERENCES = (
    *("use_mm_for_euclid_dist_if_necessary", "use_mm_for_euclid_dist"),
    "donot_use_mm_for_euclid_dist",
)
FEW_ROWS = 25
"""Of how many rows at most ``cdist`` takes the differences, where it may choose."""


def decompose_slice(self: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1) -> Any:
    """A piece of a split, where the axis is dynamic; a number of samples of the batch is no part of it."""
    size = self.shape[dim]
    first, last = _from_front(start or 0, size), _from_front(TO_THE_END if end is None else end, size)
    of_samples = dim % self.dim() == 0 and not isinstance(start, SymInt) and not isinstance(end, SymInt)
    if not isinstance(size, SymInt) or step != 1 or of_samples:
        return NotImplemented
    return _piece(self, dim, first, last)


def decompose_select(self: Tensor, dim: int, index: int) -> Any:
    """The same of one place."""
    size = self.shape[dim]
    if not isinstance(size, SymInt) or isinstance(index, SymInt) or dim % self.dim() == 0:
        return NotImplemented
    first = _from_front(index, size)
    piece = _piece(self, dim, first, first + 1)
    return piece if piece is NotImplemented else piece.squeeze(dim)


def _from_front(place: Any, size: Any) -> Any:
    """A place that may be counted from the end, or be the end."""
    if isinstance(place, SymInt):
        return place
    return size if place == TO_THE_END else size + place if place < 0 else place


def _piece(self: Tensor, dim: int, first: Any, last: Any) -> Any:
    """``self[first:last]``; the whole of an axis stays as it is."""
    sizes = [first, last - first, self.shape[dim] - last]
    if any(is_fixed(size) and int(size) < 0 for size in sizes):
        return NotImplemented
    kept = [index for index, size in enumerate(sizes) if not is_fixed(size) or int(size)]
    if len(kept) < 2 or 1 not in kept:
        return NotImplemented
    return aten.split_with_sizes.default(self, [sizes[index] for index in kept], dim)[kept.index(1)]


def chunk(self: Tensor, chunks: int, dim: int = 0) -> Sequence[Tensor]:
    """``torch.chunk``: equal pieces where every size has them."""
    size = self.shape[dim]
    if isinstance(size, SymInt) and _divides(chunks, size):
        return torch.split(self, [size // chunks] * chunks, dim)
    return torch.chunk(self, chunks, dim)


def split(self: Tensor, split_size: Any, dim: int = 0) -> Sequence[Tensor]:
    """``torch.split``: equal pieces where their number is the same for every size."""
    size = self.shape[dim]
    if isinstance(size, SymInt) and isinstance(split_size, SymInt) and _divides(split_size, size):
        count: Any = size // split_size
        if is_fixed(count):
            return torch.split(self, [split_size] * int(count), dim)
    return torch.split(self, split_size, dim)


def _divides(part: Any, size: Any) -> bool:
    remainder = size % part
    return is_fixed(remainder) and int(remainder) == 0


def concatenate(tensors: Sequence[Tensor], dim: int = 0, **options: Any) -> Tensor:
    """``torch.cat``, where the samples of several inputs are as many, which PyTorch knows of no two inputs yet."""
    samples = [tensor.shape[0] for tensor in tensors if dim == 0 and isinstance(tensor.shape[0], SymInt)]
    for size in samples[1:]:
        # To compare symbols for equality makes them equal from then on.
        assert hint(size) != hint(samples[0]) or bool(size == samples[0])
    return torch.cat(list(tensors), dim, **options)


def distances(x1: Tensor, x2: Tensor, p: float = 2.0, compute_mode: str = IF_NECESSARY) -> Tensor:
    """``torch.cdist``: by a product where it is said, or the rows whose number is known are many, else by differences.

    PyTorch takes the product for more than 25 rows on either side.
    """
    rows = [size for size in (x1.shape[-2], x2.shape[-2]) if not isinstance(size, SymInt)]
    if compute_mode == IF_NECESSARY and len(rows) < 2:
        compute_mode = BY_PRODUCT if max(rows, default=0) > FEW_ROWS else BY_DIFFERENCES
    return torch.cdist(x1, x2, p, compute_mode)


def evenly_spaced(start: Any, end: Any, steps: int, **options: Any) -> Tensor:
    """``torch.linspace`` over an axis of dynamic size, whose number of places PyTorch reads as a number."""
    if not isinstance(steps, SymInt):
        return torch.linspace(start, end, steps, **options)
    options.setdefault("dtype", torch.get_default_dtype())
    places = torch.arange(steps, **options)
    return start + (end - start) * (places / places.amax(0).clamp(min=1))


DECOMPOSITIONS: Mapping[OpOverload, Callable[..., Any]] = {
    aten.slice.Tensor: decompose_slice,
    aten.select.int: decompose_select,
}

WRITTEN_OUT: Mapping[Any, Callable[..., Any]] = {
    torch.chunk: chunk,
    Tensor.chunk: chunk,
    torch.split: split,
    Tensor.split: split,
    torch.cat: concatenate,
    torch.cdist: distances,
    torch.linspace: evenly_spaced,
}
