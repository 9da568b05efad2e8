"""Normalisations: BatchNorm in evaluation mode is affine; by the input's own statistics it has a closed form."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, fx

from fgcompile.compiler.biases.formula import double_vjp
from fgcompile.compiler.biases.rule import Application, Bias, BiasCall, BiasRule, Explicit, Implicit
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten


def _batch_norm(call: BiasCall) -> Bias:
    """``y = s x + b`` with ``s = γ/√(σ²+ε)`` and the bias ``b = β − μ s`` (the paper, section 4.1)."""
    # A scale or shift that is computed from the input (conditional normalisation) makes products of activations, which
    # this formula does not know.
    names = ("weight", "bias", "running_mean", "running_var")
    if not call.is_active("input") or any(call.arguments[n] is not None and not call.is_constant(n) for n in names):
        return Implicit(double_vjp)
    weight, bias, mean, variance = (call.constant(name) for name in names)
    assert mean is not None
    assert variance is not None
    scale = (variance + call.arguments["eps"]).rsqrt()
    scale = scale if weight is None else scale * weight
    offset = -mean * scale if bias is None else bias - mean * scale
    trailing = [1] * (call.arguments["input"].meta["val"].ndim - 2)

    def rebuild(graph: fx.Graph, node: fx.Node) -> fx.Node:
        scaled = graph.call_function(
            aten.mul.Tensor, (call.arguments["input"], constant(graph, node, scale.reshape(-1, *trailing)))
        )
        return graph.call_function(aten.add.Tensor, (scaled, per_channel(graph, node, len(trailing))))

    return Explicit(offset, rebuild, "", 1)


def constant(graph: fx.Graph, beside: fx.Node, value: Tensor) -> fx.Node:
    """A new constant of the graph, as an attribute of the module that owns it."""
    module = graph.owning_module
    assert module is not None
    name = f"{beside.name}_scale"
    module.register_buffer(name, value)
    return graph.get_attr(name)


def per_channel(graph: fx.Graph, bias: fx.Node, spatial_rank: int) -> fx.Node:
    """A bias ``(C,)`` shaped to be added to ``(N, C, *spatial)``."""
    if spatial_rank == 0:
        return bias
    return graph.call_function(aten.reshape.default, (bias, [-1, *[1] * spatial_rank]))


def _own_statistics(normalise: Callable[[Application], tuple[Tensor, Tensor | None]]) -> BiasRule:
    """``y = γ (a − m)/√(v+ε) + β`` over the input's own mean m and variance v: ``b = (y − β) v/(v+ε) + β``."""

    def formula(application: Application) -> Tensor:
        share, beta = normalise(application)
        if beta is None:
            return application.output * share
        return (application.output - beta) * share + beta

    def bias(call: BiasCall) -> Bias:
        affine_active = call.is_active("weight") or call.is_active("bias")
        return Implicit(double_vjp if affine_active else formula)

    return BiasRule("normalization", bias, "closed form: (y − β) v/(v + ε) + β, with v the variance")


def _share(operator: OpOverload, application: Application) -> Tensor:
    """``v/(v+ε) = 1 − ε r²``, with ``r = 1/√(v+ε)`` as the operator returns it for its gradient, last of three."""
    # The same call as the model's own, which optimisation joins with it: no statistics are taken a second time.
    reciprocal: Tensor = operator(**application.arguments)[2]
    unshared: Tensor = reciprocal * reciprocal * application.arguments["eps"]
    return 1.0 - unshared


def _layer(application: Application) -> tuple[Tensor, Tensor | None]:
    return _share(aten.native_layer_norm.default, application), application.arguments.get("bias")


def _group(application: Application) -> tuple[Tensor, Tensor | None]:
    x, groups = application.operands[0], application.arguments["group"]
    share = _share(aten.native_group_norm.default, application)
    channels = application.arguments["C"]
    share = share.reshape(-1, groups, 1).expand(-1, -1, channels // groups)
    share = share.reshape(x.shape[0], channels, *[1] * (x.ndim - 2))
    beta = application.arguments.get("bias")
    return share, None if beta is None else beta.reshape(-1, *[1] * (x.ndim - 2))


def _instance(application: Application) -> tuple[Tensor, Tensor | None]:
    spatial = [1] * (application.operands[0].ndim - 2)
    share = _share(aten._native_batch_norm_legit.no_stats, application).reshape(1, -1, *spatial)
    beta = application.arguments.get("bias")
    return share, None if beta is None else beta.reshape(-1, *spatial)


NORMALIZATION: dict[OpOverload, BiasRule] = {
    aten._native_batch_norm_legit_no_training.default: BiasRule(
        "batch_norm", _batch_norm, "explicit input: β − μ γ/√(σ² + ε)"
    ),
    aten._native_batch_norm_legit.no_stats: _own_statistics(_instance),
    aten.native_layer_norm.default: _own_statistics(_layer),
    aten.native_group_norm.default: _own_statistics(_group),
}
