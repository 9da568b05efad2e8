"""Pads, crops, permutations, reshapes, slices, indices, repetitions and windows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.exactness.random_graphs.description import Choose, Operator, Settings, Shape
from benchmarks.exactness.random_graphs.weighted import Weighted

LARGEST = 200
"""Values with more elements are not enlarged."""
HIGHEST_RANK = 4


def _axis(choose: Choose, shape: Shape, smallest: int = 1) -> int:
    return choose([axis for axis, size in enumerate(shape, 1) if size >= smallest])


def _draw_axis(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": _axis(choose, shapes[0])}


def _draw_long_axis(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": _axis(choose, shapes[0], 2)}


def _has_long_axis(shapes: Sequence[Shape]) -> bool:
    return max(shapes[0]) >= 2


def _is_small(shapes: Sequence[Shape]) -> bool:
    return math.prod(shapes[0]) <= LARGEST


def _draw_pad(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    shape = shapes[0]
    mode = choose(["constant", "reflect", "replicate", "circular"]) if 2 <= len(shape) <= 4 else "constant"
    axes = len(shape) - 1 if mode != "constant" else choose(range(1, len(shape) + 1))
    widths = []
    for size in shape[: -axes - 1 : -1]:  # F.pad begins with the last axis
        smallest = -1 if mode == "constant" and size >= 4 else 0
        largest = min(2, size - 1) if mode != "constant" else 2
        widths += [choose(range(smallest, largest + 1)) for _ in range(2)]
    return {"widths": tuple(widths), "mode": mode, "value": choose([0.0, 0.5]) if mode == "constant" else 0.0}


def _pad(x: Tensor, settings: Settings) -> Tensor:
    return F.pad(x, settings["widths"], settings["mode"], settings["value"])


def _draw_permutation(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    remaining = list(range(1, len(shapes[0]) + 1))
    order = []
    while remaining:
        order.append(choose(remaining))
        remaining.remove(order[-1])
    return {"order": (0, *order)}


def _draw_slice(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = _axis(choose, shapes[0])
    size = shapes[0][axis - 1]
    start = choose(range(size))
    return {"axis": axis, "start": start, "end": choose(range(start + 1, size + 1)), "step": choose([1, 2, 3])}


def _slice(x: Tensor, settings: Settings) -> Tensor:
    index = (slice(None),) * settings["axis"] + (slice(settings["start"], settings["end"], settings["step"]),)
    return x[index]


def _draw_indices(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = _axis(choose, shapes[0])
    return {"axis": axis, "indices": [choose(range(shapes[0][axis - 1])) for _ in range(choose([2, 1, 3]))]}


def _index(x: Tensor, settings: Settings) -> Tensor:
    return x[(slice(None),) * settings["axis"] + (settings["indices"],)]


def _index_select(x: Tensor, settings: Settings) -> Tensor:
    return x.index_select(settings["axis"], torch.tensor(settings["indices"]))


def _draw_position(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = _axis(choose, shapes[0])
    return {"axis": axis, "index": choose(range(-1, shapes[0][axis - 1]))}


def _draw_window(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = _axis(choose, shapes[0])
    return {"axis": axis, "size": choose(range(1, min(shapes[0][axis - 1], 3) + 1)), "step": choose([1, 2])}


def _draw_roll(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": _axis(choose, shapes[0]), "shift": choose([1, -2, 3])}


def _draw_two_axes(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    first = choose(range(1, len(shapes[0])))
    second = choose(range(first + 1, len(shapes[0]) + 1))
    sizes = shapes[0][first - 1], shapes[0][second - 1]
    return {"axes": (first, second), "offset": choose([o for o in (0, 1, -1) if -sizes[0] < o < sizes[1]])}


def _unflatten(x: Tensor, settings: Settings) -> Tensor:
    return x.unflatten(settings["axis"], (settings["factor"], -1))


def _composite_axes(shape: Shape) -> list[int]:
    return [axis for axis, size in enumerate(shape, 1) if size in (4, 6, 8, 9, 10, 12)]


def _draw_unflatten(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    axis = choose(_composite_axes(shapes[0]))
    size = shapes[0][axis - 1]
    return {"axis": axis, "factor": choose([f for f in (2, 3, 4) if size % f == 0])}


def _even_axes(shape: Shape) -> list[int]:
    return [axis for axis, size in enumerate(shape, 1) if size % 2 == 0]


def _draw_half(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {"axis": choose(_even_axes(shapes[0]))}


def _has_half(shapes: Sequence[Shape]) -> bool:
    return bool(_even_axes(shapes[0]))


def _split_product(x: Tensor, settings: Settings) -> Tensor:
    first, second = x.split(x.shape[settings["axis"]] // 2, settings["axis"])
    return first * torch.tanh(second)


def _chunk_sum(x: Tensor, settings: Settings) -> Tensor:
    first, second = x.chunk(2, settings["axis"])
    return torch.cat([first + second, first], settings["axis"])


def _unbind_stack(x: Tensor, settings: Settings) -> Tensor:
    return torch.stack(x.unbind(settings["axis"])[::-1], settings["axis"])


def _slice_scatter(x: Tensor, settings: Settings) -> Tensor:
    axis, half = settings["axis"], x.shape[settings["axis"]] // 2
    return torch.slice_scatter(x, torch.sin(x.narrow(axis, half, half)), axis, 0, half)


def _select_scatter(x: Tensor, settings: Settings) -> Tensor:
    return torch.select_scatter(x, x.select(settings["axis"], -1) * 0.5, settings["axis"], 0)


def _functional(
    function: Callable[[Tensor, Settings], Tensor],
    applies: Callable[[Sequence[Shape]], bool],
    draw: Callable[[Choose, Sequence[Shape]], Settings],
) -> Operator:
    return Operator(lambda shapes, settings: lambda x: function(x, settings), applies, draw)


def _always(shapes: Sequence[Shape]) -> bool:
    return True


def _has_axes(shapes: Sequence[Shape]) -> bool:
    return len(shapes[0]) >= 2


def _nothing(choose: Choose, shapes: Sequence[Shape]) -> Settings:
    return {}


def _is_image(shapes: Sequence[Shape]) -> bool:
    return len(shapes[0]) == 3


def _shuffles(shapes: Sequence[Shape]) -> bool:
    return _is_image(shapes) and shapes[0][0] % 4 == 0


def _unshuffles(shapes: Sequence[Shape]) -> bool:
    return _is_image(shapes) and shapes[0][1] % 2 == 0 and shapes[0][2] % 2 == 0


def _rank_grows(shapes: Sequence[Shape]) -> bool:
    return len(shapes[0]) < HIGHEST_RANK


OPERATORS = {
    "pad": _functional(_pad, _is_small, _draw_pad),
    "permute": _functional(lambda x, s: x.permute(s["order"]), _has_axes, _draw_permutation),
    "transpose": _functional(lambda x, s: x.transpose(*s["axes"]), _has_axes, _draw_two_axes),
    "flatten": _functional(lambda x, s: x.flatten(1, 2), _has_axes, _nothing),
    "flatten all": _functional(lambda x, s: x.reshape(x.shape[0], -1), _has_axes, _nothing),
    "unflatten": _functional(
        _unflatten, lambda shapes: _rank_grows(shapes) and bool(_composite_axes(shapes[0])), _draw_unflatten
    ),
    "unsqueeze": _functional(lambda x, s: x.unsqueeze(s["axis"]), _rank_grows, _draw_axis),
    "flip": _functional(lambda x, s: x.flip(s["axis"]), _always, _draw_axis),
    "roll": _functional(lambda x, s: x.roll(s["shift"], s["axis"]), _always, _draw_roll),
    "slice": _functional(_slice, _always, _draw_slice),
    "select": _functional(lambda x, s: x.select(s["axis"], s["index"]), _has_axes, _draw_position),
    "index": _functional(_index, _always, _draw_indices),
    "index_select": _functional(_index_select, _always, _draw_indices),
    "expand": _functional(
        lambda x, s: x.unsqueeze(s["axis"]).expand(*x.shape[: s["axis"]], 2, *x.shape[s["axis"] :]),
        lambda shapes: _rank_grows(shapes) and _is_small(shapes),
        _draw_axis,
    ),
    "repeat": _functional(
        lambda x, s: x.repeat([2 if axis == s["axis"] else 1 for axis in range(x.ndim)]), _is_small, _draw_axis
    ),
    "repeat_interleave": _functional(lambda x, s: x.repeat_interleave(2, s["axis"]), _is_small, _draw_axis),
    "windows": _functional(
        lambda x, s: x.unfold(s["axis"], s["size"], s["step"]),
        lambda shapes: _rank_grows(shapes) and _is_small(shapes),
        _draw_window,
    ),
    "im2col": _functional(
        lambda x, s: F.unfold(x, 2, padding=1, stride=2),
        lambda shapes: _is_image(shapes) and _is_small(shapes),
        _nothing,
    ),
    "pixel_shuffle": _functional(lambda x, s: F.pixel_shuffle(x, 2), _shuffles, _nothing),
    "pixel_unshuffle": _functional(lambda x, s: F.pixel_unshuffle(x, 2), _unshuffles, _nothing),
    "channel_shuffle": _functional(
        lambda x, s: F.channel_shuffle(x, 2), lambda shapes: _is_image(shapes) and shapes[0][0] % 2 == 0, _nothing
    ),
    "diagonal": _functional(lambda x, s: x.diagonal(s["offset"], *s["axes"]), _has_axes, _draw_two_axes),
    "tril": _functional(lambda x, s: x.tril(), _has_axes, _nothing),
    "split": _functional(_split_product, _has_half, _draw_half),
    "chunk": _functional(_chunk_sum, _has_half, _draw_half),
    "unbind": _functional(_unbind_stack, _has_long_axis, _draw_long_axis),
    "slice_scatter": _functional(_slice_scatter, _has_half, _draw_half),
    "select_scatter": _functional(_select_scatter, lambda s: _has_axes(s) and _has_long_axis(s), _draw_long_axis),
    "class token": Operator(
        lambda shapes, settings: Weighted(
            lambda x, w: torch.cat([w.expand(x.shape[0], *w.shape[1:]), x], 1), (1, 1, *shapes[0][1:])
        ),
    ),
}
