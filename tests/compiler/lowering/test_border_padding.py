"""The gradient of mirrored and repeated borders: by a matrix and by folding the ends back, at the same small sizes."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from tests.compiler.lowering.exporting import assert_exports
from tests.compiler.lowering.tracing import assert_backward_matches, trace_backward
from tests.support.operator_cases import INDEXINGS, OperatorCase
from tests.support.sweeps import few


def case(mode: str, padding: tuple[int, ...], shape: tuple[int, ...]) -> OperatorCase:
    return OperatorCase(f"{mode} {padding} {shape}", lambda x: F.pad(x, padding, mode=mode), (shape,), family="pad")


CASES = [
    *(one for one in INDEXINGS if "reflection_pad" in one.name or "replication_pad" in one.name),
    *(case("reflect", padding, (2, 5)) for padding in ((4, 4), (0, 1), (3, 0))),
    *(case("replicate", padding, (2, 3)) for padding in ((7, 5), (0, 1), (2, 0))),
    case("replicate", (2, 2), (2, 1)),
    case("reflect", (-1, 3), (2, 5)),
    case("replicate", (2, -2), (2, 5)),
    case("reflect", (-1, -2), (2, 5)),
]


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few(CASES, 8), ids=lambda one: one.name)
def test_folded_ends_equal_autograd(one: OperatorCase) -> None:
    traced = trace_backward(one)
    assert torch.ops.aten.mm.default not in traced.operators
    for batch in (1, 3):
        assert_backward_matches(one, one.make_inputs(batch, seed=batch))
    trace_backward.cache_clear()


@pytest.mark.usefixtures("everything_is_long")
@pytest.mark.parametrize("one", few(CASES[:6:2], 1), ids=lambda one: one.name)
def test_exports_to_onnx(one: OperatorCase) -> None:
    assert_exports(one)
    trace_backward.cache_clear()
