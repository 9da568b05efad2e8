"""The third stage: the gradients and biases of the full-gradient decomposition, by autograd, eager or traced.

    f(x) = <∂f/∂x, x> + Σ_g <δ_g, b_g>,   δ_g = ∂f/∂y_g                            (completeness)

No derivative of a forward operator is written by hand: ``torch.autograd.grad`` gives ``∂f/∂x`` and every ``δ_g`` at
once. Run on real tensors this is the eager full-gradient; run under ``make_fx`` it leaves the fused graph.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.traceback import get_current_meta

from fgcompile.compiler.biases import Application
from fgcompile.compiler.fullgrad.arrangement import Orders, index_orders
from fgcompile.compiler.fullgrad.score import Score
from fgcompile.compiler.fullgrad.size_watch import SizeWatch
from fgcompile.compiler.fullgrad.terms import FullGradient, SiteValue, StandIns, TermValue
from fgcompile.compiler.ir.activity import ends_of_gradient
from fgcompile.compiler.ir.annotations import aggregation
from fgcompile.compiler.ir.model_output import put_together, require_score
from fgcompile.compiler.ir.nodes import bind, call_of, is_differentiable
from fgcompile.compiler.ir.programs import BiasedProgram, ImplicitBias, Site
from fgcompile.compiler.ir.rows_in_order import rows_in_order
from fgcompile.compiler.ir.sizes import symbol_values
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import ScoreError, UnsupportedOpError, first_line

ENDS_SHOWN = 3


def differentiate(
    program: BiasedProgram,
    inputs: Sequence[Tensor],
    scores: Sequence[Score],
    stand_ins: StandIns | None = None,
) -> list[FullGradient]:
    """Evaluates the model once, and each score and all of its gradients and biases.

    Args:
        program: The exposed program.
        inputs: The model's inputs, then the score's own.
        scores: Each selects the scalar per sample to explain, where the program does not compute it itself.
        stand_ins: What takes the place of constants while tracing.

    Returns:
        The full-gradient of each score.

    Raises:
        ScoreError: A score is not of shape ``(N,)`` or does not depend on any floating-point input or embedding.
        UnsupportedOpError: An operator has neither a rule nor a derivative.
    """
    evaluated = _evaluate(program, inputs, stand_ins)
    return [evaluated.full_gradient(score, keep=number < len(scores)) for number, score in enumerate(scores, start=1)]


def model_output(program: BiasedProgram, inputs: Sequence[Tensor], stand_ins: StandIns | None = None) -> Any:
    """What the model returns, in its own structure; the arguments are those of ``differentiate``."""
    return _evaluate(program, inputs, stand_ins).structure


@dataclass
class _Evaluated:
    """What the model's forward pass left for the gradients of any score.

    Attributes:
        program: The exposed program.
        inputs: What it was given.
        leaves: The model's inputs, of which gradients are asked.
        values: The bias inputs by name.
        recorder: The values of the graph that sites and formulas need.
        structure: The model's output, with the score if the program computes it.
        orders: The index tensors of the placements' orders.
    """

    program: BiasedProgram
    inputs: Sequence[Tensor]
    leaves: Sequence[Tensor]
    values: Mapping[str, Tensor]
    recorder: _Recorder
    structure: Any
    orders: Orders
    _implicit: dict[str, Tensor] = field(default_factory=dict)

    def full_gradient(self, score: Score, keep: bool) -> FullGradient:
        """The full-gradient of one score; ``keep`` what that of another needs."""
        program, reached = self.program, [self.recorder.values[site.node] for site in self.program.sites]
        with torch.enable_grad():
            output, scores = self.structure if program.scored else (self.structure, score(self.structure))
            _require_dependence(program, require_score(scores).requires_grad)
            differentiable = {name: x for name, x in zip(program.inputs, self.leaves, strict=True) if x.requires_grad}
            wanted = (*differentiable.values(), *reached)
            gradients = _gradients(scores, wanted, program.gradient_scale, keep)
        _require_dependence(program, any(gradient is not None for gradient in gradients))
        # None where no path leads from the site to the score: it has no term. An input without a path has one of zeros,
        # since the artifact's outputs are to be those that were asked for.
        sites = tuple(
            SiteValue(site, tuple(self._terms(site, gradient)))
            for site, gradient in zip(program.sites, gradients[len(differentiable) :], strict=True)
            if gradient is not None
        )
        input_terms = tuple(
            TermValue(name, torch.zeros_like(x) if gradient is None else gradient, x.detach())
            for (name, x), gradient in zip(differentiable.items(), gradients, strict=False)
        )
        return FullGradient(
            output=output,
            score=scores.detach(),
            input_gradients={term.name: term.gradient for term in input_terms},
            input_terms=input_terms,
            sites=sites,
            maps=program.maps,
            orders=self.orders,
            batch_axes=dict(zip(program.inputs, program.batch_axes, strict=False)),
            sizes=_sizes(program, self.inputs),
        )

    def _terms(self, site: Site, gradient: Tensor) -> list[TermValue]:
        values = []
        for term in site.terms:
            if term.input is not None:
                values.append(TermValue(term.name, gradient, self.values[term.input], term.channel_axis))
                continue
            implicit = self.program.implicit[site.name]
            if site.name not in self._implicit:  # it is the same for every score
                self._implicit[site.name] = _implicit(implicit, self.recorder)
            bias = self._implicit[site.name]
            values.append(TermValue(term.name, gradient, bias, term.channel_axis, implicit.factor))
        return values


def _evaluate(program: BiasedProgram, inputs: Sequence[Tensor], stand_ins: StandIns | None) -> _Evaluated:
    """Runs the exposed graph, and keeps what gradients and formulas need."""
    # Integer inputs have no gradient: it ends at their embeddings, whose bias inputs (``sources``, zero) are leaves
    # instead. All gradients of a score come from one call of autograd, so that its backward pass is traced once.
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() if is_differentiable(x) else x for x in inputs[: len(program.inputs)]]
        values = dict(program.biases) | dict(stand_ins.biases if stand_ins else {})
        values |= {name: values[name].detach().requires_grad_() for name in program.sources}
        recorder = _Recorder(program, stand_ins)
        flat = recorder.run(*leaves, *inputs[len(program.inputs) :], *values.values())
    orders = stand_ins.orders if stand_ins else index_orders(program)
    return _Evaluated(program, inputs, leaves, values, recorder, put_together(program, flat), orders)


def _sizes(program: BiasedProgram, inputs: Sequence[Tensor]) -> dict[Any, int | torch.SymInt]:
    """What each symbol of the program's inputs is for these, where a placement asks."""
    placements = (*program.maps, *(placement for site in program.sites for placement in site.placements))
    if all(placement.cells is None for placement in placements):
        return {}
    given = zip(program.graph_module.graph.find_nodes(op="placeholder"), inputs, strict=False)
    return symbol_values([(node.meta["val"], value) for node, value in given])


def _gradients(scores: Tensor, values: tuple[Tensor, ...], scale: float, keep: bool) -> tuple[Tensor | None, ...]:
    """``∂f/∂v`` for every value, None where the score does not depend on it; ``keep`` the graph for other scores."""
    try:
        total = (scores * scale if scale != 1 else scores).sum()
        scaled = torch.autograd.grad(total, values, allow_unused=True, retain_graph=keep)
    except NotImplementedError as error:  # what autograd raises where an operator has no derivative
        raise UnsupportedOpError(
            f"an operator of the model is not differentiable ({first_line(error)}): "
            "replace it, or detach what it computes"
        ) from error
    if scale == 1:
        return scaled
    with aggregation():
        return tuple(None if gradient is None else gradient * (1 / scale) for gradient in scaled)


class _Recorder(fx.Interpreter):
    """Evaluates the exposed graph and keeps the values that sites and formulas need."""

    def __init__(self, program: BiasedProgram, stand_ins: StandIns | None) -> None:
        super().__init__(program.graph_module)
        self.stand_ins = stand_ins
        self.values: dict[str, Any] = {}
        self.nodes = {node.name: node for node in program.graph_module.graph.nodes}
        self.wanted = {site.node for site in program.sites}
        for bias in program.implicit.values():
            call = call_of(self.nodes[bias.node])
            self.wanted |= {bias.node} | {source.name for source in call.all_input_nodes}

    def run_node(self, node: fx.Node) -> Any:
        value = super().run_node(node)
        if node.name in self.wanted:
            self.values[node.name] = value
        if self.stand_ins is not None:
            self.stand_ins.watch.ran(node)
            _name_backward(node, value, self.stand_ins.watch)
        return value

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().call_function(target, rows_in_order(target, args) if self.stand_ins is None else args, kwargs)

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return super().get_attr(target, args, kwargs) if self.stand_ins is None else self.stand_ins.attributes[target]


def _name_backward(node: fx.Node, value: Any, watch: SizeWatch) -> None:
    """While tracing, the nodes of a layer's backward get the layer's name too, for messages."""

    def enter(_: Any) -> None:
        watch.differentiating(node)
        get_current_meta()["nn_module_stack"] = node.meta.get("nn_module_stack")

    for leaf in pytree.tree_leaves(value):
        if isinstance(leaf, Tensor) and leaf.grad_fn is not None:
            leaf.grad_fn.register_prehook(enter)


def _require_dependence(program: BiasedProgram, depends: bool) -> None:
    if depends:
        return
    ends = ends_of_gradient(program.graph_module.graph)
    if ends:
        shown = ", ".join(f"'{layer}'" for layer in ends[:ENDS_SHOWN]) + (", …" if len(ends) > ENDS_SHOWN else "")
        raise ScoreError(
            f"the score does not depend on the input: the gradient ends at {shown}, by torch.no_grad or detach: "
            "compute there with gradients, or explain a score that does not go through it"
        )
    raise ScoreError(
        "the score does not depend on the input through differentiable operators: choose a score that is computed "
        "from it, and an input that is of a floating-point dtype or read by an embedding"
    )


def _implicit(bias: ImplicitBias, recorder: _Recorder) -> Tensor:
    """Evaluates a formula on one operator's call, apart from the rest of the graph: the bias but for its factor."""
    # The formula sees the operator alone, with constants for all that is not active: what it differentiates is then
    # ``g`` and not the graph, and nothing that it does reaches the gradients of the score. Without gradients none of
    # its operands has to be detached, each of which would be a node to trace.
    node = recorder.nodes[bias.node]
    call = call_of(node)
    values = {source: recorder.values[source.name] for source in call.all_input_nodes}
    active = [source for source, value in values.items() if isinstance(value, Tensor) and value.requires_grad]

    def function(*operands: Tensor) -> Any:
        replaced = dict(zip(active, operands, strict=True))
        args, kwargs = fx.map_arg((call.args, call.kwargs), lambda n: replaced.get(n, values[n]))
        assert callable(call.target)
        value = call.target(*args, **kwargs)
        return value[node.args[1]] if node is not call else value

    application = Application(
        function=function,
        operands=tuple(values[source] for source in active),
        output=recorder.values[node.name],
        arguments={name: fx.map_arg(value, lambda n: values[n]) for name, value in bind(call).items()},
    )
    try:
        with torch.no_grad():
            result = bias.formula(application)
            return result.detach() if result.requires_grad else result  # the output itself where nothing depends on it
    except RuntimeError as error:
        raise UnsupportedOpError(
            f"operator '{call.target}' at node '{call.name}' has no rule and no derivative ({error}): "
            "add a row to fgcompile.compiler.biases, or replace the operator"
        ) from error
