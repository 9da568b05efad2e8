"""Layouts: where in the input the elements of every site lie, inferred from how the graph moves the axes.

The input's coordinates are followed through the graph (``propagation``); at a site they tell how its elements are
arranged into a grid of cells over the input (``placement``). A layout can be written by hand instead (``pattern``).
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import torch
from torch import Tensor, fx

from fgcompile.compiler.expose.layouts.astray import find_astray, is_placeless
from fgcompile.compiler.expose.layouts.axes import Axes
from fgcompile.compiler.expose.layouts.behind import places_behind
from fgcompile.compiler.expose.layouts.call import concrete_shape
from fgcompile.compiler.expose.layouts.cells import Extents, with_cells
from fgcompile.compiler.expose.layouts.names import naming, unknown_names
from fgcompile.compiler.expose.layouts.pattern import read_pattern
from fgcompile.compiler.expose.layouts.placement import Space, find_batch, place
from fgcompile.compiler.expose.layouts.positions import Positions
from fgcompile.compiler.expose.layouts.propagation import Propagation
from fgcompile.compiler.ir.programs import Batch, Placement, Site
from fgcompile.compiler.ir.sizes import batch_axis, multiple_of
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
    axes = Axes(inputs)
    propagation = Propagation(constants, axes.owners)
    propagation.run(graph, {node: axes.start(node) for node in inputs})
    values = {node.name: node for node in graph.nodes}
    unused = set(written)
    for node in inputs:
        _written(str(node.target), written, unused)  # an input is there, with a map or without
    spaces, maps = [], []
    for node in _candidates(inputs, written):
        layout = _written(str(node.target), written, unused)
        with naming(str(node.target)):
            space = axes.space(node, propagation.roles, layout)
            placement = place(_positions(axes.start(node), layout, space, axes.samples), space)
        if placement is not None:
            spaces.append(space)
            maps.append(_at_any_size(placement, axes.start(node), space, node, axes, propagation))
    # An input's own name means the input, even where a layer bears it too.
    names = [str(node.target) for node in inputs]
    of_sites = {name: layout for name, layout in written.items() if name not in names}
    placed, finder = [], _Finder(spaces, axes, Extents(propagation.positions))
    fixed: list[tuple[str, str]] = []
    for site in sites:
        node = values[site.node]
        layout = _written(site.name, of_sites, unused)
        try:
            placed.append(finder.place(site, node, propagation.positions.get(node), layout))
        except _FixedSizesError as error:
            fixed.append((site.name, error.pattern))
    if fixed:
        raise CaptureError(_for_fixed_sizes(fixed))
    if unused:
        raise InputError(unknown_names(unused, names, [site.name for site in sites]))
    kept, finished = _embedded_alone(inputs, maps, placed)
    _require_maps(written, names, [placement.input for placement in kept])
    with_map = {placement.input for placement in kept}
    by_hand = {site.name for site in finished if _written(site.name, of_sites, set()) is not None}
    found = [
        site if site.name in by_hand else finder.found_again(site, values[site.node], propagation, with_map)
        for site in finished
    ]
    return kept, find_astray(found, values, by_hand)


def _at_any_size(
    placement: Placement, own: Positions, space: Space, node: fx.Node, axes: Axes, propagation: Propagation
) -> Placement:
    """The map of an integer input of dynamic size with its cells, as it has no gradient that would have this size."""
    value = node.meta["val"]
    if value.is_floating_point() or all(multiple_of(size, axes.batch) for size in value.shape):
        return placement
    return with_cells(placement, own, space, value, axes.batch, Extents(propagation.positions)) or placement


@dataclass(frozen=True)
class _Finder:
    """What the placements of a site depend on, beside the site."""

    spaces: Sequence[Space]
    axes: Axes
    extents: Extents

    def place(self, site: Site, node: fx.Node, known: object, layout: str | None) -> Site:
        """The site with its placements, by the positions that the propagation found or by a written layout."""
        # A site that the propagation lost still has a layout if one is written for it: that is why positions without
        # any coordinate are tried, not left out.
        value, samples = node.meta["val"], self.axes.batch
        blank = Positions(concrete_shape(value), (None,) * self.axes.count)
        found = known if isinstance(known, Positions) else blank
        placements = []
        for space in self.spaces:
            with naming(site.name):
                positions = _positions(found, layout, space, self.axes.samples)
                placement = place(positions, space)
            if placement is not None:
                placements.append(self._of_any_size(placement, positions, space, value))
        batch = find_batch(found, self.axes.samples) or Batch(*batch_axis(site.shape), True)
        return replace(site, batch=_of_any_size(batch, value, samples), placements=tuple(placements))

    def found_again(self, site: Site, node: fx.Node, propagation: Propagation, inputs: Container[str]) -> Site:
        """A site whose places were lost, placed by what reads it, where that holds at every size."""
        positions = places_behind(node, propagation) if is_placeless(site) else None
        if positions is None:
            return site
        try:
            again = self.place(site, node, positions, None)
        except _FixedSizesError:
            return site
        placements = tuple(placement for placement in again.placements if placement.input in inputs)
        return replace(site, placements=placements, layout=placements[0].pattern) if placements else site

    def _of_any_size(self, placement: Placement, positions: Positions, space: Space, value: Tensor) -> Placement:
        """The placement at any size of the value; one whose places are not the grid itself tells how they fill it.

        Raises:
            _FixedSizesError: They do not, in a way that holds at every size.
        """
        samples = self.axes.batch
        found: Placement | None = placement
        if placement.axes is None and any(not multiple_of(size, samples) for size in value.shape):
            found = with_cells(placement, positions, space, value, samples, self.extents)
        if found is None:
            raise _FixedSizesError(placement.pattern)
        return replace(found, batch=_of_any_size(found.batch, value, samples))


class _FixedSizesError(Exception):
    """A layout holds at the example's sizes alone."""

    def __init__(self, pattern: str) -> None:
        super().__init__(pattern)
        self.pattern = pattern


def _for_fixed_sizes(found: Sequence[tuple[str, str]]) -> str:
    """What is said of sites whose layouts hold at one size alone; several are named by the layers that they are in."""
    name, pattern = found[0]
    if len(found) == 1:
        said, named, them = f"'{name}' has the layout '{pattern}'", [name], "it"
    else:
        said, them = f"'{name}' and {len(found) - 1} more have layouts such as '{pattern}'", "them"
        named = [re.sub(r"\b\d+\b", "*", f"{of.rpartition('.')[0]}.*") if "." in of else of for of, _ in found]
    written = ", ".join(f"'{each}': 'none'" for each in dict.fromkeys(named))
    return (
        f"{said}, for which sizes must be fixed: leave out dynamic_sizes, or keep {them} out of the map by "
        f"layouts={{{written}}}"
    )


def _require_maps(written: Mapping[str, str], inputs: Sequence[str], maps: Sequence[str]) -> None:
    """Refuses a layout for an input that cannot have a map, such as a mask: no embedding reads it."""
    for name in inputs:
        if name not in maps and written.get(name, "none") != "none":
            raise InputError(
                f"layouts give '{name}' a map, but no layer lies over it, or another input of its shape stands for it: "
                "write 'none' for it, or c for each of its axes but the batch's, as 'c n c'; inputs with a map: "
                f"{', '.join(maps) or 'none'}"
            )


def _of_any_size(batch: Batch, value: Tensor, samples: int | torch.SymInt) -> Batch:
    """The batch without its factor, where that is not a number but follows a dynamic size."""
    known = batch.axis < 0 or value.ndim == 0 or multiple_of(value.shape[batch.axis], samples)
    return batch if known else replace(batch, factor=None)


def _candidates(inputs: Sequence[fx.Node], written: Mapping[str, str]) -> list[fx.Node]:
    """The inputs that may have a map: first those of floating point, each kind in the model's order."""
    # Images and their like have more than two axes and leave tables beside them without a map; where no input has,
    # tables and signals (N, F) get one. An input that layouts name has one in any case, or with "none" in no case.
    named = [node for node in inputs if written.get(str(node.target), "none") != "none"]
    wanted = [node for node in inputs if _written(str(node.target), written, set()) != "none"]
    wide = [node for node in wanted if node.meta["val"].ndim > 1 or node in named]
    floats = [node for node in wide if node.meta["val"].is_floating_point()]
    spatial = any(node.meta["val"].ndim > 2 for node in floats)
    chosen = [node for node in floats if node.meta["val"].ndim > 2 or node in named or not spatial]
    # Of integer inputs of one shape one stands for all, that which is named or else the first: all have its positions.
    integers = [node for node in wide if node not in floats]
    order = [*(node for node in integers if node in named), *(node for node in integers if node not in named)]
    standing = {concrete_shape(node.meta["val"]): node for node in reversed(order)}
    return [*chosen, *(node for node in integers if node in standing.values())]


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
