"""Between which layers the gradients of a model and of its captured graph part, for the message.

Seen from the output, gradients agree until what was lost is passed: behind the last layer whose output has another
gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.capture.scored import unwrapped_name
from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.torch_internals import pytree


def weighted(structure: Any, scored: bool) -> list[Tensor | None]:
    """``<w, f>`` of each output, None where it has no gradient; of a model with its score, the score's alone.

    What other outputs lose concerns nobody then.
    """
    outputs = [leaf for leaf in pytree.tree_leaves(structure) if isinstance(leaf, Tensor)]
    totals: list[Tensor | None] = []
    for output in outputs[-1:] if scored else outputs:
        if output.requires_grad and output.is_floating_point():
            weights = torch.randn(output.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
            totals.append((weights.to(output) * output).sum().double())
        else:
            totals.append(None)
    return totals


def find_parting(
    captured: CapturedProgram, model: nn.Module, values: Sequence[Tensor], output: int, tolerance: float
) -> str:
    """`` between 'a' and 'b'``, or nothing where it is not found.

    Args:
        captured: The graph.
        model: The model.
        values: The inputs at which they differ.
        output: The position of the output whose gradients do.
        tolerance: The largest difference that is none, relative to the largest gradient of a layer.
    """
    try:
        with torch.enable_grad(), _outputs(model) as layers:
            eager = weighted(model(*_leaves(values)), captured.scored)[output]
        own = [(path, value) for path, value in layers if sum(path == other for other, _ in layers) == 1]
        interpreter = _Kept(captured.graph_module)
        with torch.enable_grad():
            graph = weighted(interpreter.run(*_leaves(values)), captured.scored)[output]
        pairs = [(path, value, interpreter.found(path, value)) for path, value in own]
        known = [(path, value, node) for path, value, node in pairs if node is not None]
        behind = None
        for path, value, node in reversed(known):
            if _differ(_gradient(eager, value), _gradient(graph, node), tolerance):
                return f" between '{path}' and " + ("the output" if behind is None else f"'{behind}'")
            behind = path
    except RuntimeError:  # what autograd refuses of a layer's own output, which was written into say
        return ""
    return "" if behind is None else f" in front of '{behind}'"


def _leaves(values: Sequence[Tensor]) -> list[Tensor]:
    given = [value.detach().clone() for value in values]
    return [value.requires_grad_().clone() if value.is_floating_point() else value for value in given]


@contextmanager
def _outputs(model: nn.Module) -> Iterator[list[tuple[str, Tensor]]]:
    """What each layer without parts returns, in order."""
    found: list[tuple[str, Tensor]] = []
    handles = []
    for path, module in model.named_modules():
        if path and not any(module.children()):

            def keep(_module: nn.Module, _inputs: Any, result: Any, path: str = unwrapped_name(path)) -> None:
                if isinstance(result, Tensor) and result.requires_grad:
                    found.append((path, result))

            handles.append(module.register_forward_hook(keep))
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


class _Kept(fx.Interpreter):
    """Keeps what each layer's operators return."""

    def __init__(self, graph_module: fx.GraphModule) -> None:
        super().__init__(graph_module)
        self.values: list[tuple[fx.Node, Tensor]] = []

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if isinstance(result, Tensor) and result.requires_grad:
            self.values.append((n, result))
        return result

    def found(self, path: str, value: Tensor) -> Tensor | None:
        """The layer's last value that is what the model's layer returned."""
        for node, own in reversed(self.values):
            paths = [of for of, _ in (node.meta.get("nn_module_stack") or {}).values()]
            if path in paths and own.shape == value.shape and torch.allclose(own, value, rtol=1e-3, atol=1e-5):
                return own
        return None


def _gradient(total: Tensor | None, value: Tensor) -> Tensor:
    if total is None:
        return torch.zeros_like(value)
    (gradient,) = torch.autograd.grad(total, value, allow_unused=True, retain_graph=True)
    return torch.zeros_like(value) if gradient is None else gradient


def _differ(one: Tensor, other: Tensor, tolerance: float) -> bool:
    size = max(one.abs().max().item(), other.abs().max().item())
    return (one - other).abs().max().item() > tolerance * size
