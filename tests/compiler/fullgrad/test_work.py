"""How much is computed for the gradients and biases of an unrolled recurrent layer: as much for each further step."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from fgcompile.compiler.fullgrad.eager import full_gradient_terms
from fgcompile.compiler.pipeline import expose_biases
from tests.support.sweeps import few

aten = torch.ops.aten


class Counting(TorchDispatchMode):
    """Counts the operators that are called while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: Counter[Any] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls[func] += 1
        return func(*args, **(kwargs or {}))


class Recurrent(nn.Module):
    """A recurrent layer, and the mean of its states."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = self.layer(x)[0].mean(1)
        return states


def calls(layer: nn.Module, steps: int) -> Counter[Any]:
    """The operators that the full-gradient of a layer calls, of so many steps."""
    x = torch.randn(2, steps, 3)
    exposed = expose_biases(Recurrent(layer).eval(), x)
    with Counting() as counting:
        full_gradient_terms(exposed, [x], 0, None)
    return counting.calls


@pytest.mark.parametrize(("layer", "gates"), few([(nn.LSTM, (3, 2)), (nn.GRU, (2, 1))], 1), ids=["LSTM", "GRU"])
def test_each_step_costs_the_same(layer: type[nn.Module], gates: tuple[int, int]) -> None:
    counts = [calls(layer(3, 2, batch_first=True), steps) for steps in (2, 3, 4)]
    assert counts[2].total() - counts[1].total() == counts[1].total() - counts[0].total()
    # An activation is evaluated once, and its derivative twice: on the way back, and for its bias.
    for steps, found in enumerate(counts, 2):
        for count, name in zip(gates, ("sigmoid", "tanh"), strict=True):
            assert found[getattr(aten, name).default] == count * steps
            assert found[getattr(aten, f"{name}_backward").default] == 2 * count * steps
