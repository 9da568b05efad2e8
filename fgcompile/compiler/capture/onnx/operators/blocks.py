"""Blocks of places as channels, channels as blocks, and columns as overlapping blocks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.operators.padding import by_axis


def depth_to_space(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """``(N, C b², H, W) → (N, C, H b, W b)``; with ``DCR`` the block is the slower part of the channels."""
    if mode == "CRD":
        return functional.pixel_shuffle(x, blocksize)
    n, channels, height, width = x.shape
    parted = x.reshape(n, blocksize, blocksize, channels // blocksize**2, height, width)
    placed = parted.permute(0, 3, 4, 1, 5, 2)
    return placed.reshape(n, channels // blocksize**2, height * blocksize, width * blocksize)


def space_to_depth(x: Tensor, *, blocksize: int, mode: str = "DCR") -> Tensor:
    """The inverse of ``depth_to_space``."""
    if mode == "CRD":
        return functional.pixel_unshuffle(x, blocksize)
    n, channels, height, width = x.shape
    parted = x.reshape(n, channels, height // blocksize, blocksize, width // blocksize, blocksize)
    placed = parted.permute(0, 3, 5, 1, 2, 4)
    return placed.reshape(n, channels * blocksize**2, height // blocksize, width // blocksize)


def col_to_im(
    x: Tensor,
    image_shape: Sequence[int],
    block_shape: Sequence[int],
    *,
    dilations: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    strides: Sequence[int] | None = None,
) -> Tensor:
    """``(N, C k², L)`` as sums of blocks ``(N, C, *image_shape)``: of two axes, which is what PyTorch does."""
    axes = len(image_shape)
    before, after = list((pads or [0] * axes)[:axes]), list((pads or [0] * axes)[-axes:])
    whole = [size + sum(pad) for size, *pad in zip(image_shape, before, after, strict=True)]
    step, apart = tuple(strides or [1] * axes), tuple(dilations or [1] * axes)
    image = functional.fold(x, tuple(whole), tuple(block_shape), apart, 0, step)
    return functional.pad(image, [-each for each in by_axis(before, after)])


BLOCKS: dict[str, Operator] = {
    "Col2Im": Operator(col_to_im, ("image_shape", "block_shape"), note="of two axes"),
    "DepthToSpace": Operator(depth_to_space),
    "SpaceToDepth": Operator(space_to_depth),
}
