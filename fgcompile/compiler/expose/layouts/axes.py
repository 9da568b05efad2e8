"""The coordinates of all inputs, and which of them are space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import CHANNEL, SPATIAL, concrete_shape
from fgcompile.compiler.expose.layouts.pattern import spatial_axes
from fgcompile.compiler.expose.layouts.placement import LETTERS, Space
from fgcompile.compiler.expose.layouts.positions import Positions, compressed
from fgcompile.errors import InputError


class Axes:
    """The coordinates of all inputs: the sample's index, then one for every other axis of each input.

    Integer inputs of one shape (token ids, their types, their mask) are aligned, so they share their coordinates.
    """

    def __init__(self, inputs: Sequence[fx.Node]) -> None:
        self.batch: int | torch.SymInt = inputs[0].meta["val"].shape[0]
        self.samples = concrete_shape(inputs[0].meta["val"])[0]
        self.owners: list[int] = [-1]
        self._first: dict[fx.Node, int] = {}
        shared: dict[tuple[int, ...], int] = {}
        for number, node in enumerate(inputs):
            shape = concrete_shape(node.meta["val"])
            if not node.meta["val"].is_floating_point() and shape in shared:
                self._first[node] = shared[shape]
                continue
            self._first[node] = shared[shape] = len(self.owners)
            self.owners += [number] * (len(shape) - 1)

    @property
    def count(self) -> int:
        return len(self.owners)

    def start(self, node: fx.Node) -> Positions:
        """An input's own positions."""
        shape = concrete_shape(node.meta["val"])
        coordinates: list[Tensor | None] = [None] * self.count
        for axis, size in enumerate(shape):
            along = torch.arange(size, dtype=torch.get_default_dtype())
            index = 0 if axis == 0 else self._first[node] + axis - 1
            coordinates[index] = compressed(along.reshape([-1 if a == axis else 1 for a in range(len(shape))]))
        return Positions(shape, tuple(coordinates))

    def space(self, node: fx.Node, roles: Mapping[int, str], layout: str | None) -> Space:
        """The spatial axes: all but the batch and the channels' axis, the second unless the graph says otherwise.

        Raises:
            InputError: A written layout does not say which axes these are, or takes them for each other.
        """
        rank = node.meta["val"].ndim
        coordinates = [self._first[node] + axis for axis in range(rank - 1)]
        # By hand; else a table or signal (N, F) has no channels; else what an operator has told; else the second axis,
        # as PyTorch has it, unless an operator slides over it.
        if layout is not None and layout != "none":
            written = tuple(coordinates[axis - 1] for axis in spatial_axes(layout, rank))
            _require_roles(layout, coordinates, written, roles)
            return Space(str(node.target), written, rank, self.samples)
        channels = [c for c in coordinates if roles.get(c) == CHANNEL]
        if rank == 2:
            channels = []  # a signal's samples, a table's columns, tokens: a score for each
        elif not channels and roles.get(coordinates[0]) != SPATIAL:
            channels = coordinates[:1]
        return Space(str(node.target), tuple(c for c in coordinates if c not in channels[:1]), rank, self.samples)


def _require_roles(layout: str, coordinates: Sequence[int], written: Sequence[int], roles: Mapping[int, str]) -> None:
    """Refuses a picture's layout that takes channels for space, and what windows slide over for channels."""
    # Either alone may be meant: a map over the electrodes that a convolution sums, or one of rows summed over columns.
    # So may both in a signal (N, C, L): a map over its channels.
    summed = [c for c in coordinates if c in written and roles.get(c) == CHANNEL]
    slid = [c for c in coordinates if c not in written and roles.get(c) == SPATIAL]
    if len(coordinates) < 3 or not summed or not slid:
        return
    letters = iter(LETTERS[len(coordinates) - 1]) if len(coordinates) - 1 in LETTERS else iter("")
    meant = " ".join(["n", *("c" if c in summed else next(letters, "s") for c in coordinates)])
    raise InputError(
        f"layout '{layout}' takes axis {coordinates.index(summed[0]) + 1}, the model's channels, for space, and "
        f"axis {coordinates.index(slid[0]) + 1}, which its windows slide over, for channels: write '{meant}', or leave "
        "it out"
    )
