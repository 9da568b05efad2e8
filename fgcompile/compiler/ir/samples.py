"""Where samples are in what a program returns, and sites where they are on no axis.

No term of such a site is one sample's, so that it has no explanation.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, fx

from fgcompile.compiler.ir.activity import active_nodes
from fgcompile.compiler.ir.fixed_batch import FixedBatchError
from fgcompile.compiler.ir.graphs import ancestors
from fgcompile.compiler.ir.model_output import explained, put_together
from fgcompile.compiler.ir.programs import BiasedProgram, CapturedProgram, Site
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import pytree


def returned(program: CapturedProgram | BiasedProgram) -> Any:
    """The fake tensors that a program returns, in the model's own structure; with the score if it has one."""
    return put_together(program, map(_value, _results(program)))


def output_axes(program: BiasedProgram) -> list[int]:
    """The batch's axis of each tensor that the model returns, in their order; the first where none is the batch."""
    structure = returned(program)
    samples = program.graph_module.graph.find_nodes(op="placeholder")[0].meta["val"].shape[0]
    leaves = pytree.tree_leaves(structure[0] if program.scored else structure)
    return [
        next((axis for axis, size in enumerate(leaf.shape) if same_size(size, samples)), 0)
        if isinstance(leaf, Tensor)
        else 0
        for leaf in leaves
    ]


def depends_on_inputs(program: CapturedProgram | BiasedProgram, value: Tensor) -> bool:
    """Whether a gradient passes from what a program returns to an input."""
    return any(node in active_nodes(program.graph_module.graph) for node in _returning(program, value))


def require_samples(program: BiasedProgram, output: str | int | None) -> None:
    """Refuses a program with such a site on the way to what is explained, before anything is differentiated.

    Raises:
        CaptureError: Names the site.
    """
    on_the_way = {node.name for node in nodes_on_the_way(program, output)}
    for site in program.sites:
        if site.node in on_the_way:
            require_batch(site)


def nodes_on_the_way(program: CapturedProgram | BiasedProgram, output: str | int | None) -> set[fx.Node]:
    """The nodes through which a gradient passes from what is explained to an input."""
    active = active_nodes(program.graph_module.graph)
    return ancestors(explained_nodes(program, output), stop=lambda node: node not in active) & active


def explained_nodes(program: CapturedProgram | BiasedProgram, output: str | int | None) -> list[fx.Node]:
    """The nodes that compute what is explained: the score, or else that output."""
    structure = returned(program)
    return _returning(program, structure[1] if program.scored else explained(structure, output))


def require_batch(site: Site) -> None:
    """Refuses one such site.

    Raises:
        CaptureError: Names it.
    """
    if site.batch.axis < 0:
        raise FixedBatchError(
            f"the samples of '{site.name}', of shape {site.shape}, are not along one of its axes, so an explanation "
            "cannot be told from another's: keep the batch on an axis of its own"
        )


def _returning(program: CapturedProgram | BiasedProgram, value: Any) -> list[fx.Node]:
    """The nodes that compute one of the values that ``returned`` has."""
    return [node for node in _results(program) if isinstance(node, fx.Node) and node.meta["val"] is value]


def _results(program: CapturedProgram | BiasedProgram) -> list[Any]:
    results: Any = program.graph_module.graph.output_node().args[0]
    return list(results)


def _value(result: Any) -> Any:
    return result.meta["val"] if isinstance(result, fx.Node) else result
