"""Weights that stay in the dtype that the model has them in, and are widened one at a time, where one is read.

    y = mm(x, w), w stored in float32, computed in float64   →   y = mm(x, float64(w)), and float64(w) is gone again

The compiler computes in float64, and a copy of all weights would take twice the memory of the model, or four times that
of one in half precision. What autograd keeps for a backward is the narrow weight, too. What was tried:
``docs/decisions/compile-memory.md``.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from fgcompile.compiler.ir.torch_internals import make_wrapper_subclass, pytree

aten = torch.ops.aten

SMALLEST = 2**16
"""Elements below which a tensor is converted once and for all."""

_PIECE = 2**20

_NARROWER = (torch.float16, torch.bfloat16, torch.float32)

_PRIVATE: Any = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANON} if hasattr(mmap, "MAP_ANON") else {}

_VIEWS = (aten.t.default, aten.transpose.int, aten.permute.default, aten.detach.default, aten.alias.default)
"""Operators of one tensor that only exchange axes, or change nothing: they are the same of the narrow one."""


class Widened(Tensor):
    """A constant of a dtype, stored in a narrower one. Every operator but a view is given the wide values.

    Attributes:
        stored: The narrow values; where these have other strides, the wide ones are contiguous.
    """

    stored: Tensor

    @staticmethod
    def __new__(cls, stored: Tensor, dtype: torch.dtype, contiguous: bool = False) -> Widened:
        """Stands for ``stored`` in the dtype; ``contiguous`` whatever its strides are."""
        strides = torch.empty(stored.shape, device="meta").stride() if contiguous else stored.stride()
        made: Widened = make_wrapper_subclass(cls, stored.shape, strides=strides, dtype=dtype, device=stored.device)
        made.stored = stored
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]  # which is not annotated
        return f"Widened({tuple(self.shape)}, {self.stored.dtype} as {self.dtype})"

    def in_dtype(self, dtype: torch.dtype) -> Tensor:
        """The values in a dtype; those that are stored, where it is theirs and they lie as they are to."""
        if dtype == self.stored.dtype:
            return self.stored if self.stored.stride() == self.stride() else self.stored.contiguous()
        return _own_memory(self, dtype).copy_(self.stored)

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]  # PyTorch calls it by position
        cls, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """What the operator makes of the wide values, or the same of the narrow ones where it looks at none."""
        options = dict(kwargs or {})
        first = args[0] if args else None
        if isinstance(first, cls) and first.stride() == first.stored.stride():
            if func in _VIEWS:
                return cls(func(first.stored, *args[1:], **options), first.dtype)
            if func is aten.clone.default and options.get("memory_format") is torch.contiguous_format:
                return cls(first.stored, first.dtype, contiguous=True)
        args, options = pytree.tree_map_only(cls, _wide, (tuple(args), options))
        return func(*args, **options)


def _own_memory(like: Widened, dtype: torch.dtype) -> Tensor:
    """An empty tensor whose memory goes back to the system as soon as it is let go of, which ``malloc`` may keep."""
    if like.device.type != "cpu" or not like.numel():
        return torch.empty_strided(like.shape, like.stride(), dtype=dtype, device=like.device)
    memory = mmap.mmap(-1, like.numel() * dtype.itemsize, **_PRIVATE)
    if hasattr(mmap, "MADV_HUGEPAGE"):  # a fault for every 2 MiB, not for every 4 kB, takes a seventh of the time
        with suppress(OSError):
            memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=dtype).as_strided(like.shape, like.stride())


def _wide(value: Widened) -> Tensor:
    return value.in_dtype(value.dtype)


def constant_in_dtype(value: Tensor, dtype: torch.dtype) -> Tensor:
    """A constant in a dtype; a large one that is narrower is widened where it is read."""
    if isinstance(value, Widened):
        return value if dtype == value.dtype else value.in_dtype(dtype)
    if dtype == torch.float64 and value.dtype in _NARROWER and value.numel() >= SMALLEST:
        return Widened(value, dtype)
    return value.to(dtype)


def in_pieces(value: Tensor) -> Iterator[Tensor]:
    """A constant as vectors of PyTorch's own, row by row, of a part of its elements each."""
    stored = (value.stored if isinstance(value, Widened) else value).contiguous().reshape(-1)
    for piece in torch.split(stored, _PIECE):
        yield piece.to(value.dtype)


def address(value: Tensor) -> int:
    """What tensors over the same memory have in common."""
    return value.stored.data_ptr() if isinstance(value, Widened) else value.data_ptr()
