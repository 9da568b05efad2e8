"""Products compute in half precision, what is steep in float32, and casts stand where these meet."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from fgcompile.compiler.passes.precision.lower_precision import lower_precision
from tests.compiler.passes.texts import assert_rewrites, run_alone, traced


def test_before_and_after() -> None:
    graph_module = traced(lambda x, w: F.linear(x, w).relu().softmax(1), torch.ones(2, 3), torch.ones(4, 3))
    before = """
        x_1: float32[2, 3]
        w_1: float32[4, 3]
        t: float32[3, 4] = aten.t.default(w_1)
        mm: float32[2, 4] = aten.mm.default(x_1, t)
        relu: float32[2, 4] = aten.relu.default(mm)
        _softmax: float32[2, 4] = aten._softmax.default(relu, 1, False)
        return _softmax
        """
    after = """
        x_1: float32[2, 3]
        _to_copy_default: float16[2, 3] = aten._to_copy.default(x_1, dtype=torch.float16)
        w_1: float32[4, 3]
        t: float32[3, 4] = aten.t.default(w_1)
        _to_copy_default_1: float16[3, 4] = aten._to_copy.default(t, dtype=torch.float16)
        mm: float16[2, 4] = aten.mm.default(_to_copy_default, _to_copy_default_1)
        relu: float16[2, 4] = aten.relu.default(mm)
        _to_copy_default_2: float32[2, 4] = aten._to_copy.default(relu, dtype=torch.float32)
        _softmax: float32[2, 4] = aten._softmax.default(_to_copy_default_2, 1, False)
        return _softmax
        """
    assert_rewrites(lower_precision(torch.float16), graph_module, before, after)


def test_a_number_beyond_half_precision_stays_in_its_range() -> None:
    graph_module = traced(lambda x, w: torch.mm(x, w) * 1e6, torch.ones(2, 3), torch.ones(3, 2))
    run_alone(lower_precision(torch.float16), graph_module)
    (product,) = graph_module.graph.find_nodes(op="call_function", target=torch.ops.aten.mul.Tensor)
    assert product.args[1] == torch.finfo(torch.float16).max / 2
