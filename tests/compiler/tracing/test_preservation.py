"""Interpolation stays whole in the thread that asks for it, and what other threads do meanwhile is PyTorch's own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from fgcompile.compiler.tracing.preservation import INTERPOLATIONS, preserve_interpolation

aten = torch.ops.aten
PATIENCE = 120
"""Seconds after which the other thread is given up."""

# A backward is traced by its lowering; here it is enough that it stays one operator.
WHOLE = {packet.default for packet in INTERPOLATIONS}
CALLS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear, by factors": lambda x: aten.upsample_bilinear2d.vec(x, None, False, [2.0, 1.5]),
    "linear, by size": lambda x: aten.upsample_bilinear2d.vec(x, [9, 7], True, None),
    "linear, default overload": lambda x: aten.upsample_bilinear2d.default(x, [9, 7], True),
    "nearest, by factors": lambda x: aten.upsample_nearest2d.vec(x, None, [2.0, 1.5]),
    "nearest exact, by size": lambda x: aten._upsample_nearest_exact2d.vec(x, [9, 7], None),
    "cubic, by factors": lambda x: aten.upsample_bicubic2d.vec(x, None, False, [2.0, 2.0]),
    "antialiased": lambda x: aten._upsample_bilinear2d_aa.default(x, [3, 3], False),
}


def operators(function: Callable[[Tensor], Tensor]) -> set[Any]:
    """What a function calls when it is traced with symbolic sizes."""
    graph_module = make_fx(function, tracing_mode="symbolic")(torch.randn(3, 2, 4, 6))
    return {node.target for node in graph_module.graph.nodes if node.op == "call_function"}


@pytest.mark.parametrize("name", CALLS)
def test_it_is_traced_as_one_operator(name: str) -> None:
    with preserve_interpolation():
        assert len(operators(CALLS[name]) & WHOLE) == 1


@pytest.mark.parametrize("name", CALLS)
def test_values_and_gradients_are_those_of_pytorch(name: str) -> None:
    x = torch.randn(3, 2, 4, 6, dtype=torch.float64, requires_grad=True)
    expected = CALLS[name](x)
    (gradient,) = torch.autograd.grad((expected * expected).sum(), x)
    with preserve_interpolation():
        result = CALLS[name](x)
        (found,) = torch.autograd.grad((result * result).sum(), x)
    assert torch.equal(result, expected)
    assert torch.equal(found, gradient)


def test_another_thread_that_traces_meanwhile_gets_what_pytorch_makes_of_it() -> None:
    """The second trace begins and ends while the first stands within its function, and the other way round."""
    call = CALLS["linear, by factors"]
    undisturbed = operators(call)
    assert not undisturbed & WHOLE

    def preserved(meanwhile: Callable[[], object]) -> set[Any]:
        def function(x: Tensor) -> Tensor:
            meanwhile()
            return call(x)

        with preserve_interpolation():
            return operators(function)

    with ThreadPoolExecutor(1) as other:
        inner: list[set[Any]] = []
        outer = preserved(lambda: inner.append(other.submit(operators, call).result(PATIENCE)))
        assert outer & WHOLE == {aten.upsample_bilinear2d.default}
        assert inner[-1] == undisturbed

        def plain(x: Tensor) -> Tensor:
            inner.append(other.submit(preserved, lambda: None).result(PATIENCE))
            return call(x)

        assert operators(plain) == undisturbed
        assert inner[-1] & WHOLE == {aten.upsample_bilinear2d.default}


def test_eager_interpolation_of_another_thread_is_left_alone() -> None:
    x = torch.randn(1, 2, 4, 6, requires_grad=True)
    expected = F.interpolate(x, scale_factor=2, mode="bilinear")
    opened, computed = threading.Event(), threading.Event()

    def hold() -> None:
        with preserve_interpolation():
            opened.set()
            assert computed.wait(PATIENCE)

    with ThreadPoolExecutor(1) as other:
        held = other.submit(hold)
        assert opened.wait(PATIENCE)
        try:
            result = F.interpolate(x, scale_factor=2, mode="bilinear")
        finally:
            computed.set()
        held.result(PATIENCE)
    assert torch.equal(result, expected)
    assert type(result.grad_fn) is type(expected.grad_fn)


def test_nothing_of_the_process_is_changed() -> None:
    before = dict(aten.upsample_bilinear2d.vec.py_kernels)
    with preserve_interpolation():
        assert aten.upsample_bilinear2d.vec.py_kernels == before
    assert aten.upsample_bilinear2d.vec.py_kernels == before
