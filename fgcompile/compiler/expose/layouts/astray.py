"""Sites whose places were lost on the way, though what comes of them has places: what mixes tokens, or channels alone.

A head behind a pooling has no place, and nothing behind it has. A product of channels with channels, or a mixing of
places along an axis that is then no place of the input's, leaves terms out of the map that a user expects there.
"""

from __future__ import annotations

import warnings
from collections.abc import Container, Mapping, Sequence
from dataclasses import replace

from torch import fx

from fgcompile.compiler.ir.graphs import ancestors
from fgcompile.compiler.ir.programs import Site
from fgcompile.errors import LayoutWarning


def is_placeless(site: Site) -> bool:
    """Whether a site has more than channels, and no place: a gate of channels alone is none's."""
    sizes = [size for axis, size in enumerate(site.shape) if axis != site.batch.axis]
    return not site.placements and sum(size != 1 for size in sizes) > 1


def find_astray(sites: Sequence[Site], nodes: Mapping[str, fx.Node], by_hand: Container[str]) -> tuple[Site, ...]:
    """The sites, of which those that are lost say so.

    Args:
        sites: With their placements.
        nodes: The graph's nodes by name.
        by_hand: The names of sites whose layout is written.
    """
    before = ancestors(nodes[site.node] for site in sites if site.placements)
    return tuple(
        replace(site, astray=is_placeless(site) and nodes[site.node] in before and site.name not in by_hand)
        for site in sites
    )


def warn_of_astray(sites: Sequence[Site], stacklevel: int) -> None:
    """Warns once of all sites that are lost; ``stacklevel`` as in ``warnings.warn``, counted from the caller."""
    lost = [site.name for site in sites if site.astray]
    if lost:
        others = f" and {len(lost) - 1} more layers" if len(lost) > 1 else ""
        have, their = ("have", "their") if others else ("has", "its")
        warnings.warn(
            f"'{lost[0]}'{others} {have} no place in the input, though layers behind have: {their} terms count in "
            f"contributions and are in no map; say where each lies, or that it is to be in none, by "
            f"layouts={{'{lost[0]}': 'none'}}",
            LayoutWarning,
            stacklevel=stacklevel + 1,
        )
