"""The order in which the passes over a fused graph run."""

from __future__ import annotations

from torch import fx

from fgcompile.compiler.passes.optimize.broadcast_products import broadcast_products
from fgcompile.compiler.passes.optimize.compare_clipped import compare_clipped
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.merge_halves import merge_halves
from fgcompile.compiler.passes.optimize.negate_comparisons import negate_comparisons
from fgcompile.compiler.passes.optimize.remove_identities import remove_identities
from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from fgcompile.compiler.passes.optimize.share_subexpressions import share_subexpressions


def optimize(graph_module: fx.GraphModule) -> None:
    """Rewrites a fused graph in place: nothing computed twice, nothing constant computed at all."""
    replace_mutations(graph_module)
    remove_identities(graph_module)
    share_subexpressions(graph_module)
    merge_halves(graph_module)
    compare_clipped(graph_module)
    fold_constants(graph_module)
    broadcast_products(graph_module)
    remove_identities(graph_module)
    share_subexpressions(graph_module)
    negate_comparisons(graph_module)
    graph_module.graph.eliminate_dead_code()
    graph_module.graph.lint()
    graph_module.recompile()
