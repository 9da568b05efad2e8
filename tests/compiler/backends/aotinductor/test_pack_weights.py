"""Weights of convolutions are laid out for oneDNN, once."""

# ruff: noqa: E501 - a node of the graph is one line of its text

from __future__ import annotations

import pytest
import torch

from fgcompile.compiler.backends.aotinductor.pack_weights import pack_weights
from tests.compiler.backends.aotinductor.test_keep_sums_apart import Residual, graph_of
from tests.compiler.passes.texts import assert_shows, run_alone

pytestmark = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="there is no oneDNN to pack for")


def test_before_and_after() -> None:
    graph_module = graph_of(Residual(used_before=True))
    text = """
        arg0_1: float32[s0, 16, s1, s2]
        sin: float32[s0, 16, s1, s2] = aten.sin.default(arg0_1)
        WEIGHT: float32[16, 16, 3, 3] = constant WEIGHT
        _convolution_pointwise: float32[s0, 16, s1, s2] = mkldnn._convolution_pointwise.default(sin, WEIGHT, None, [1, 1], [1, 1], [1, 1], 1, 'none', [], '')
        add: float32[s0, 16, s1, s2] = aten.add.Tensor(_convolution_pointwise, arg0_1)
        return add
        """
    assert_shows(graph_module.graph, text.replace("WEIGHT", "_tensor_constant0"))
    assert run_alone(pack_weights, graph_module)
    assert_shows(graph_module.graph, text.replace("WEIGHT", "_packed_weight_0"))
    assert graph_module._packed_weight_0.is_mkldnn
    assert not run_alone(pack_weights, graph_module)
