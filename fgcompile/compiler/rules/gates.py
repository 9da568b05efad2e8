"""Gated activations are linear once their gate is a constant: ``η(x) = x · gate(x)  →  x · detach(gate(x))``.

LibraGrad (CVPR 2025) and AttnLRP (ICML 2024) both keep the gate and let the relevance pass through ``x`` alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import fx

from fgcompile.compiler.ir.torch_internals import OpOverload
from fgcompile.compiler.rules.rewriting import Rewrite, Rewriting

aten = torch.ops.aten


def _gated(gate: Callable[[Rewriting, fx.Node], fx.Node]) -> Rewrite:
    """``x · gate(detach(x))``; ``gate`` writes the gate of a constant."""

    def rewrite(rewriting: Rewriting) -> fx.Node:
        return rewriting.call(aten.mul.Tensor, rewriting.arguments["self"], gate(rewriting, rewriting.detached("self")))

    return rewrite


def _gelu(rewriting: Rewriting, x: fx.Node) -> fx.Node:
    """``Φ(x) = ½ (1 + erf(x/√2))``, or its approximation ``½ (1 + tanh(√(2/π) (x + 0.044715 x³)))``."""
    if rewriting.arguments["approximate"] == "tanh":
        square = rewriting.call(aten.mul.Tensor, x, x)
        factor = rewriting.call(aten.add.Tensor, rewriting.call(aten.mul.Tensor, square, 0.044715), 1.0)
        scaled = rewriting.call(aten.mul.Tensor, rewriting.call(aten.mul.Tensor, x, factor), math.sqrt(2 / math.pi))
        sigmoidal = rewriting.call(aten.tanh.default, scaled)
    else:
        sigmoidal = rewriting.call(aten.erf.default, rewriting.call(aten.mul.Tensor, x, math.sqrt(0.5)))
    return rewriting.call(aten.mul.Tensor, rewriting.call(aten.add.Tensor, sigmoidal, 1.0), 0.5)


def _silu(rewriting: Rewriting, x: fx.Node) -> fx.Node:
    return rewriting.call(aten.sigmoid.default, x)


def _mish(rewriting: Rewriting, x: fx.Node) -> fx.Node:
    return rewriting.call(aten.tanh.default, rewriting.call(aten.softplus.default, x))


def _hardswish(rewriting: Rewriting, x: fx.Node) -> fx.Node:
    return rewriting.call(aten.hardsigmoid.default, x)


GATED: dict[OpOverload, Rewrite] = {
    aten.gelu.default: _gated(_gelu),
    aten.silu.default: _gated(_silu),
    aten.mish.default: _gated(_mish),
    aten.hardswish.default: _gated(_hardswish),
}
