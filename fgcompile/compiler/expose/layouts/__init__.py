"""Layouts: where in the input the elements of every site lie, inferred from how the graph moves the axes.

The input's coordinates are followed through the graph (``propagation``); at a site they tell how its elements are
arranged into a grid of cells over the input (``placement``). A layout can be written by hand instead (``pattern``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.call import CHANNEL, SPATIAL, concrete_shape
from fgcompile.compiler.expose.layouts.pattern import read_pattern
from fgcompile.compiler.expose.layouts.placement import Space, find_batch, place
from fgcompile.compiler.expose.layouts.positions import Positions, compressed
from fgcompile.compiler.expose.layouts.propagation import Propagation
from fgcompile.compiler.ir.programs import Batch, Placement, Site
from fgcompile.compiler.ir.sizes import batch_axis, is_fixed
from fgcompile.errors import CaptureError, InputError

__all__ = ["find_layouts"]


def find_layouts(
    graph: fx.Graph,
    inputs: Sequence[fx.Node],
    sites: Sequence[Site],
    constants: Mapping[fx.Node, Tensor],
    written: Mapping[str, str],
) -> tuple[tuple[Placement, ...], tuple[Site, ...]]:
    """The placement of each input that has a map, and the sites with their layouts.

    A map is made for floating-point inputs with space; without any, for tables and signals ``(N, F)``, a score for each
    entry; and for integer inputs that are embedded.

    Args:
        graph: The exposed graph.
        inputs: The nodes of the model's inputs.
        sites: The sites without layout.
        constants: The values of the nodes that are known when compiling.
        written: Layouts by hand, by the name of an input or site, in which ``*`` and ``?`` match others.

    Raises:
        InputError: A written layout does not fit, or nothing bears its name.
        CaptureError: A site's sizes are dynamic, and its layout needs fixed ones.
    """
    axes = _Axes(inputs)
    propagation = Propagation(constants, axes.owners)
    propagation.run(graph, {node: axes.start(node) for node in inputs})
    values = {node.name: node for node in graph.nodes}
    unused = set(written)
    spaces, maps = [], []
    for node in _candidates(inputs):
        layout = _written(str(node.target), written, unused)
        space = axes.space(node, propagation.roles, layout)
        placement = place(_positions(axes.start(node), layout, space, axes.samples), space)
        if placement is not None:
            spaces.append(space)
            maps.append(placement)
    # A site that the propagation lost still has a layout if one is written for it: that is why positions without any
    # coordinate are tried, not left out.
    placed = []
    for site in sites:
        node = values[site.node]
        known = propagation.positions.get(node)
        layout = _written(site.name, written, unused)
        blank = Positions(concrete_shape(node.meta["val"]), (None,) * axes.count)
        found = known if isinstance(known, Positions) else blank
        candidates = [place(_positions(found, layout, space, axes.samples), space) for space in spaces]
        placements = tuple(placement for placement in candidates if placement is not None)
        _require_grids(site.name, node.meta["val"], placements)
        batch = find_batch(found) or Batch(*batch_axis(site.shape), True)
        placed.append(replace(site, batch=batch, placements=placements))
    if unused:
        raise InputError(
            f"layouts name {', '.join(sorted(unused))}, but no input or site is called so: `fgcompile inspect` of an "
            "artifact compiled without them lists the names"
        )
    return _embedded_alone(inputs, maps, placed)


def _require_grids(name: str, value: Tensor, placements: Sequence[Placement]) -> None:
    """Refuses a value of dynamic sizes whose places are not the grid itself."""
    dynamic = sum(not is_fixed(size) for size in value.shape) > 1
    for placement in placements:
        if dynamic and placement.axes is None:
            raise CaptureError(
                f"'{name}' has the layout '{placement.pattern}', for which sizes must be fixed: "
                f"leave out dynamic_sizes, or keep it out of the map by layouts={{'{name}': 'none'}}"
            )


def _candidates(inputs: Sequence[fx.Node]) -> list[fx.Node]:
    # Images and their like have more than two axes and leave tables beside them without a map; where no input has,
    # tables and signals (N, F) get one. Of integer inputs of one shape the first stands for all: the others have its
    # positions.
    floats = [node for node in inputs if node.meta["val"].is_floating_point() and node.meta["val"].ndim > 1]
    spatial = [node for node in floats if node.meta["val"].ndim > 2]
    integers = {concrete_shape(node.meta["val"]): node for node in reversed(inputs) if node not in floats}
    aligned = [node for node in inputs if node in integers.values() and node.meta["val"].ndim > 1]
    return [*(spatial or floats), *aligned]


def _embedded_alone(
    inputs: Sequence[fx.Node], maps: Sequence[Placement], sites: Sequence[Site]
) -> tuple[tuple[Placement, ...], tuple[Site, ...]]:
    """Drops the maps of integer inputs that no embedding reads: masks and lengths."""
    # Which integer input is embedded is known only once sites are placed: before that each had a map, and what none of
    # the embeddings lies over was a mask or a length.
    floats = {str(node.target) for node in inputs if node.meta["val"].is_floating_point()}
    embedded = {placement.input for site in sites if site.kind == "embedding" for placement in site.placements}
    kept = {placement.input for placement in maps if placement.input in floats | embedded}
    finished = []
    for site in sites:
        placements = tuple(placement for placement in site.placements if placement.input in kept)
        pattern = placements[0].pattern if placements else "none"
        finished.append(replace(site, placements=placements, layout=pattern))
    return tuple(placement for placement in maps if placement.input in kept), tuple(finished)


def _written(name: str, written: Mapping[str, str], unused: set[str]) -> str | None:
    for key, layout in written.items():
        if fnmatchcase(name, key):
            unused.discard(key)
            return layout
    return None


def _positions(found: Positions, layout: str | None, space: Space, samples: int) -> Positions:
    if layout is None:
        return found
    if layout == "none":
        return replace(found, coordinates=(found.coordinates[0], *[None] * (len(found.coordinates) - 1)))
    return read_pattern(layout, found.shape, samples, space, len(found.coordinates))


class _Axes:
    """The coordinates of all inputs: the sample's index, then one for every other axis of each input.

    Integer inputs of one shape (token ids, their types, their mask) are aligned, so they share their coordinates.
    """

    def __init__(self, inputs: Sequence[fx.Node]) -> None:
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
        """The spatial axes: all but the batch and the channels' axis, the second unless the graph says otherwise."""
        rank = node.meta["val"].ndim
        coordinates = [self._first[node] + axis for axis in range(rank - 1)]
        # By hand; else a table or signal (N, F) has no channels; else what an operator has told; else the second axis,
        # as PyTorch has it, unless an operator slides over it.
        channels = [c for c in coordinates if roles.get(c) == CHANNEL]
        if layout is not None:
            names = layout.split()
            channels = [c for c, name in zip(coordinates, names[1:], strict=False) if name == "c"]
        elif rank == 2:
            channels = []  # a signal's samples, a table's columns, tokens: a score for each
        elif not channels and roles.get(coordinates[0]) != SPATIAL:
            channels = coordinates[:1]
        return Space(str(node.target), tuple(c for c in coordinates if c not in channels[:1]), rank)
