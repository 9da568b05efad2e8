"""Dynamic sizes: the artifact is run at sizes that are not the example's, smaller and larger."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.exactness.random_graphs.description import Choose, Shape
from benchmarks.exactness.random_graphs.kinds.drawn import Drawn, Piece, network, normal
from benchmarks.exactness.random_graphs.kinds.trunk import CHANNELS, CLASSES, activation

Made = Callable[[], Piece]
LAYERS: dict[int, type[nn.Module]] = {1: nn.Conv1d, 2: nn.Conv2d}


def _attention(x: Tensor, qkv: nn.Module) -> Tensor:
    """Of every place to every place."""
    q, k, v = qkv(x.flatten(2).mT).chunk(3, -1)
    return x + F.scaled_dot_product_attention(q, k, v).mT.reshape(x.shape)


def _positions(x: Tensor, frequencies: Tensor) -> Tensor:
    """Sinusoids over the last axis."""
    places = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    table = torch.sin(frequencies[:, None] * places)
    return x + table.reshape(CHANNELS, *[1] * (x.ndim - 3), x.shape[-1])


def _skip(x: Tensor, down: nn.Module) -> Tensor:
    """A step of a U-Net: smaller, then as large as the input again."""
    small = torch.tanh(down(x))
    return x + F.interpolate(small, size=x.shape[2:], mode="nearest")


def _blocks(rank: int) -> dict[str, Made]:
    convolution = LAYERS[rank]
    transposed: type[nn.Module] = (nn.ConvTranspose1d, nn.ConvTranspose2d)[rank - 1]
    mode = ("linear", "bilinear")[rank - 1]
    average, largest = ((F.avg_pool1d, F.max_pool1d), (F.avg_pool2d, F.max_pool2d))[rank - 1]

    def layer(*arguments: int, **more: int) -> Made:
        return lambda: Piece(lambda x, c: c(x), [convolution(CHANNELS, CHANNELS, *arguments, **more)])

    def plain(function: Callable[[Tensor], Tensor]) -> Made:
        return lambda: Piece(function)

    return {
        "convolution": layer(3, padding=1),
        "convolution without padding": layer(3),
        "strided": layer(3, stride=2, padding=1),
        "patches": layer(2, stride=2),
        "dilated": layer(3, padding=2, dilation=2),
        "average pooling": plain(lambda x: average(x, 2)),
        "maximum pooling": plain(lambda x: largest(x, 2, ceil_mode=True)),
        "overlapping pooling": plain(lambda x: average(x, 3, 2, 1)),
        "enlarged": plain(lambda x: F.interpolate(x, scale_factor=2, mode=mode)),
        "nearest": plain(lambda x: F.interpolate(x, scale_factor=2)),
        "reflected": plain(lambda x: F.pad(x, (1, 2) * rank, mode="reflect")),
        "circular": plain(lambda x: F.pad(x, (1, 1) * rank, mode="circular")),
        "flipped": plain(lambda x: x + x.flip(-1)),
        "rolled": plain(lambda x: x - x.roll(1, -1)),
        "softmax over places": plain(lambda x: x + x.flatten(2).softmax(-1).reshape(x.shape)),
        "differences": plain(lambda x: x[..., 1:] - x[..., :-1]),
        "every second": plain(lambda x: x[..., ::2]),
        "gate by the mean": plain(
            lambda x: x * torch.sigmoid(x.flatten(2).mean(-1).reshape(-1, CHANNELS, *[1] * rank))
        ),
        "group norm": lambda: Piece(lambda x, n: n(x), [nn.GroupNorm(2, CHANNELS)]),
        "attention": lambda: Piece(_attention, [nn.Linear(CHANNELS, 3 * CHANNELS)]),
        "positions": lambda: Piece(_positions, weights=[(CHANNELS,)]),
        "skip": lambda: Piece(_skip, [convolution(CHANNELS, CHANNELS, 2, 2)]),
        "transposed": lambda: Piece(lambda x, c: c(x), [transposed(CHANNELS, CHANNELS, 2, 2)]),
    }


def _multiple(shape: Shape, factor: int) -> Shape:
    return tuple(-(-size // factor) * factor for size in shape)


def draw(choose: Choose) -> Drawn:
    """Two to four layers over a signal or an image, then the mean or maximum over all places."""
    rank = choose([1, 2])
    blocks = _blocks(rank)
    names = [choose(list(blocks)) for _ in range(choose([2, 3, 4]))]
    shrinking = sum(name in ("strided", "patches", "average pooling", "maximum pooling") for name in names)
    pieces = [Piece(lambda x, c: c(x), [LAYERS[rank](3, CHANNELS, 3, padding=1)])]
    for name in names:
        pieces += [activation(choose)[1], blocks[name]()]
    ending = choose(["mean", "maximum"])
    pieces.append(
        Piece(
            lambda x, head: head(x.flatten(2).mean(-1) if ending == "mean" else x.flatten(2).amax(-1)),
            [nn.Linear(CHANNELS, CLASSES)],
        )
    )
    base, factor = (16, 12)[rank - 1], 2 ** min(shrinking, 2)
    example = (base,) if rank == 1 else (base, choose([12, 16]))
    others = tuple(
        _multiple(tuple(choose([size - 4, size + 4, size + 12, size + 1, 2 * size]) for size in example), f)
        for f in (factor, 1)
    )
    return Drawn(
        network(pieces),
        lambda batch, sizes, seed: (normal((batch, 3, *sizes), seed),),
        (example, *others),
        f"{example}: " + ", ".join([*names, ending]),
        {"dynamic_sizes": True},
    )
