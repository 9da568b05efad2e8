"""Rows that are multiplied by a matrix are copied into order: PyTorch then has one product, and no batched one."""

from __future__ import annotations

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from fgcompile.compiler.ir.rows_in_order import rows_in_order

aten = torch.ops.aten


@pytest.mark.parametrize("target", [aten.linear.default, aten.matmul.default])
def test_rows_behind_a_transposition_are_one_product(target: torch._ops.OpOverload) -> None:
    rows, matrix = torch.randn(2, 7, 4).transpose(0, 1), torch.randn(4, 4)
    arguments = rows_in_order(target, (rows, matrix))
    with profile(activities=[ProfilerActivity.CPU]) as found:
        product = target(*arguments)
    torch.testing.assert_close(product, target(rows, matrix))
    names = {event.key for event in found.key_averages()}
    assert "aten::mm" in names
    assert "aten::bmm" not in names


def test_other_calls_stay_as_they_are() -> None:
    square, batch = torch.randn(3, 3), torch.randn(2, 3, 3).transpose(0, 1)
    for target, arguments in ((aten.matmul.default, (square.t(), square)), (aten.bmm.default, (batch.mT, batch))):
        assert all(one is other for one, other in zip(rows_in_order(target, arguments), arguments, strict=True))
