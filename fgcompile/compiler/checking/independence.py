"""A sample's explanation is its own: it depends neither on the other samples of its batch, nor on its place among them.

Every sample of a batch is compared with what it gives alone, which has the first place. Where that differs, the layer
is found in the graph of the model: the first whose values do not follow a turn of the batch, or differ among others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.checking.crowds import others_of
from fgcompile.compiler.checking.differences import relative_difference
from fgcompile.compiler.checking.inputs import picked, picked_of
from fgcompile.compiler.checking.shapes import run_at
from fgcompile.compiler.ir.batch_axes import to_front
from fgcompile.compiler.ir.fixed_batch import FixedBatchError, takes_one_sample
from fgcompile.compiler.ir.nodes import layer_name, user_line
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.ir.sizes import same_size, samples_axis

ADVICE = (
    "so it has no explanation of its own: remove operations over the batch (means, batch statistics, comparisons "
    "between samples, reads and writes at numbers of samples)"
)

TURN_LIMIT = 1e-6
"""How far a layer's values may be from those of a turned batch, relative to the largest, in float64."""


def require_independent_samples(
    program: FusedProgram, inputs: Sequence[Tensor], samples: Sequence[int], batch: Sequence[Tensor], limit: float
) -> None:
    """Compares each sample's outputs alone with those it has in ``batch``, the outputs of the ``samples`` together.

    In a graph of one sample there are no others.

    Raises:
        CaptureError: They differ, so an explanation would depend on the other samples, or on its place.
    """
    if takes_one_sample(program):
        return
    for sample in sorted(set(samples)):
        alone = run_at(program, picked(program, inputs, [sample]))
        for spec, together, single in zip(program.outputs, batch, alone, strict=True):
            if spec.name == "residual" or samples_axis(spec.shape) is None:
                continue
            if not relative_difference(single, picked_of(spec, together, [samples.index(sample)])) <= limit:
                raise FixedBatchError(
                    f"output '{spec.name}' of a sample depends on the other samples of its batch, or on its place "
                    f"among them, {ADVICE}"
                )


def dependence(exposed: BiasedProgram, inputs: Sequence[Tensor]) -> str | None:
    """What is said of the first layer whose values depend on a sample's neighbours or place; None where none does.

    Args:
        exposed: The model's graph.
        inputs: The artifact's inputs and the score's, with their batch where the user has it.
    """
    graph_module = exposed.graph_module
    # More than two samples, since an operation over two may follow their exchange: a sum with what is flipped does.
    count = len(others_of(graph_module.graph))
    placeholders = {str(node.target): node for node in graph_module.graph.find_nodes(op="placeholder")}
    given = [placeholders[name] for name in (*exposed.inputs, *exposed.score_inputs)]
    axes = (*exposed.batch_axes, *[0] * (len(inputs) - len(exposed.batch_axes)))
    own = [
        _several(to_front(value.double() if node.meta["val"].is_floating_point() else value, axis), count)
        for node, value, axis in zip(given, inputs, axes, strict=True)
    ]
    values, turned, *others = _among_others(exposed, own)
    batch, dependent = given[0].meta["val"].shape[0], set(given)
    for node in graph_module.graph.nodes:
        # What depends on sizes alone, a row of numbers say, is no sample's: where it meets the samples is the place.
        if not isinstance(node.meta.get("val"), Tensor | tuple | list) or not dependent & {*node.all_input_nodes}:
            continue
        dependent.add(node)
        if node in values and _is_of_samples(node, batch):
            in_place = relative_difference(turned[node].roll(-1, 0), values[node])
            if not max(in_place, *(_difference(other[node][:1], values[node][:1]) for other in others)) <= TURN_LIMIT:
                return _said_of(node)
    return None


def _among_others(exposed: BiasedProgram, own: Sequence[Tensor]) -> list[dict[fx.Node, Tensor]]:
    """The graph's values for a batch, the batch turned, its first sample repeated, and that alone."""
    biases = [value.double() for value in exposed.biases.values()]
    alone = [value[:1] for value in own]
    repeated = [value.expand_as(batch) for value, batch in zip(alone, own, strict=True)]
    batches = (own, [value.roll(1, 0) for value in own], repeated, alone)
    return [_values(exposed.graph_module, [*batch, *biases]) for batch in batches]


def _said_of(node: fx.Node) -> str:
    line = user_line(node)
    where = f"'{layer_name(node)}'" + ("" if line is None else f" at {line}")
    return f"what {where} makes of a sample depends on the other samples of its batch, or on its place, {ADVICE}"


def _difference(one: Tensor, other: Tensor) -> float:
    """The difference of what one sample has; none of what has an axis of the others too, which is read behind."""
    return relative_difference(one, other) if one.shape == other.shape else 0.0


def _several(value: Tensor, count: int) -> Tensor:
    """The first and the last sample, and others between them."""
    first, last = value[:1], value[1:2] if len(value) > 1 else value[:1]
    shares = torch.linspace(0.3, 0.8, count - 2).tolist()
    between = [(1 - share) * first + share * last if value.is_floating_point() else first for share in shares]
    return torch.cat([first, last, *between])


def _is_of_samples(node: fx.Node, batch: Any) -> bool:
    value = node.meta.get("val")
    return isinstance(value, Tensor) and value.dim() > 0 and same_size(value.shape[0], batch)


def _values(graph_module: fx.GraphModule, given: Sequence[Tensor]) -> dict[fx.Node, Tensor]:
    interpreter = _Values(graph_module)
    with torch.no_grad():
        interpreter.run(*given)
    return interpreter.values


class _Values(fx.Interpreter):
    """Keeps the tensors that a graph computes, in float64."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.values: dict[fx.Node, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and n.op == "call_function":
            self.values[n] = result.double()
        return result
