"""The order in which the passes over a fused graph run."""

from __future__ import annotations

from torch import fx

from fgcompile.compiler.ir.runner import run_passes
from fgcompile.compiler.passes.optimize.broadcast_products import broadcast_products
from fgcompile.compiler.passes.optimize.compare_clipped import compare_clipped
from fgcompile.compiler.passes.optimize.drop_unused_constants import drop_unused_constants
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.gather_constant_places import gather_constant_places
from fgcompile.compiler.passes.optimize.join_paddings import join_paddings
from fgcompile.compiler.passes.optimize.merge_halves import merge_halves
from fgcompile.compiler.passes.optimize.negate_comparisons import negate_comparisons
from fgcompile.compiler.passes.optimize.remove_identities import remove_identities
from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from fgcompile.compiler.passes.optimize.share_subexpressions import share_subexpressions

PASSES = (
    replace_mutations,
    remove_identities,
    share_subexpressions,
    merge_halves,
    join_paddings,
    compare_clipped,
    fold_constants,
    gather_constant_places,
    drop_unused_constants,
    broadcast_products,
    remove_identities,  # constants that turned out to be zeros or ones, and their expansions
    share_subexpressions,
    negate_comparisons,
)
"""In this order, once: what a second round would find, two of them find when they run again."""


def optimize(graph_module: fx.GraphModule) -> None:
    """Rewrites a fused graph in place: nothing computed twice, nothing constant computed at all."""
    run_passes(graph_module, PASSES)
