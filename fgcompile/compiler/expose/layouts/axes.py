"""The coordinates of all inputs, and which of them are space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import CHANNEL, SPATIAL, concrete_shape
from fgcompile.compiler.expose.layouts.pattern import spatial_axes
from fgcompile.compiler.expose.layouts.placement import Space
from fgcompile.compiler.expose.layouts.positions import Positions, compressed


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
            InputError: A written layout does not say which axes these are.
        """
        rank = node.meta["val"].ndim
        coordinates = [self._first[node] + axis for axis in range(rank - 1)]
        # By hand; else a table or signal (N, F) has no channels; else what an operator has told; else the second axis,
        # as PyTorch has it, unless an operator slides over it.
        if layout is not None and layout != "none":
            return Space(
                str(node.target),
                tuple(coordinates[axis - 1] for axis in spatial_axes(layout, rank)),
                rank,
                self.samples,
            )
        channels = [c for c in coordinates if roles.get(c) == CHANNEL]
        if rank == 2:
            channels = []  # a signal's samples, a table's columns, tokens: a score for each
        elif not channels and roles.get(coordinates[0]) != SPATIAL:
            channels = coordinates[:1]
        return Space(str(node.target), tuple(c for c in coordinates if c not in channels[:1]), rank, self.samples)
