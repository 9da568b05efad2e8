"""The captured graph beside the model, on the inputs that it was captured with: what differs was lost on the way.

Both are run in the model's own dtype. In half precision rounding alone sets a deep model apart from its graph, so what
differs there is compared in float32: a copy of the model, and the graph over values of that dtype.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
from torch import Tensor, fx, nn

from fgcompile.compiler.ir.programs import CapturedProgram
from fgcompile.compiler.ir.rounding import HALF
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.errors import CaptureError

SAME = 1e-3
"""Largest difference between the model's outputs and the captured graph's, relative to the largest of them."""

ROUNDINGS = 16
"""How many roundings to half precision the two may be apart, where the model does not run in float32."""


RUNS = 3
"""How often a model runs that may draw numbers, to see it."""


class Difference(NamedTuple):
    """The output that differs most, and by how much of the largest output."""

    size: float
    output: int


def require_same_outputs(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> None:
    """Runs the model and the captured graph on the same inputs.

    Raises:
        CaptureError: Names the output that differs, and by how much.
    """
    examples = [value.clone(memory_format=torch.contiguous_format) for value in inputs]
    with torch.no_grad():
        expected = _outputs(model, examples)
        found, limit = _compare(captured, model, examples, expected)
        if found.size <= limit:
            return
        # Two runs of a model that draws numbers are as far apart as its graph is from one of them; not by chance every
        # time.
        again = (_difference(_outputs(model, examples), expected).size for _ in range(RUNS))
        changes = any(size > found.size / 10 for size in again)
    raise CaptureError(
        f"output {found.output} of the captured graph differs from that of {captured.name} by {found.size:.0e} of the "
        "largest output: "
        + (
            "two runs of the model differ too, so it draws random numbers or keeps state from call to call: let it "
            "do neither in eval mode"
            if changes
            else "the model depends on values in a way that torch.export does not see: compute by tensors what it "
            "computes by numbers of Python or NumPy"
        )
    )


def is_model_on(captured: CapturedProgram, model: nn.Module, inputs: Sequence[Tensor]) -> bool | None:
    """Whether the captured graph is the model on inputs of other sizes; None where the model does not take them."""
    with torch.no_grad():
        try:
            expected = _outputs(model, inputs)
        except Exception:  # whatever a model raises at a size that it does not take
            return None
        try:
            found, limit = _compare(captured, model, inputs, expected)
        except RuntimeError:  # of PyTorch, where the graph does not take them, or returns other shapes
            return False
    return found.size <= limit


def _compare(
    captured: CapturedProgram, model: nn.Module, examples: Sequence[Tensor], expected: Sequence[Tensor]
) -> tuple[Difference, float]:
    """How far the graph is from what the model returns, and how far it may be."""
    found, limit = _difference(captured.graph_module(*examples), expected), SAME
    half = next((value.dtype for value in _floats(model, examples) if value.dtype in HALF), None)
    if found.size > limit and half is not None:
        single = _difference_in_float32(captured, model, examples)
        return (found, ROUNDINGS * torch.finfo(half).eps) if single is None else (single, SAME)
    return found, limit


def _floats(model: nn.Module, examples: Sequence[Tensor]) -> Iterator[Tensor]:
    return (value for value in chain(examples, model.parameters(), model.buffers()) if value.is_floating_point())


def _outputs(model: nn.Module, examples: Sequence[Tensor]) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(model(*examples)) if isinstance(leaf, Tensor)]


def _difference(actual: Sequence[Tensor], expected: Sequence[Tensor]) -> Difference:
    # Relative to the largest of all outputs, since one may be zero but for rounding.
    size = max(torch.finfo(torch.float32).tiny, *(_largest(value) for value in expected))
    if any(value.shape != reference.shape for value, reference in zip(actual, expected, strict=True)):
        raise RuntimeError("the graph returns values of other shapes than the model")
    differences = [_apart(value, reference) / size for value, reference in zip(actual, expected, strict=True)]
    worst = max(range(len(differences)), key=differences.__getitem__)
    return Difference(differences[worst], worst)


def _apart(value: Tensor, reference: Tensor) -> float:
    """How far two outputs are apart; whole numbers and truths follow from numbers that are compared."""
    return _largest(value - reference) if reference.is_floating_point() else 0.0


def _largest(values: Tensor) -> float:
    return values.abs().nan_to_num().max().item() if values.numel() and values.is_floating_point() else 0.0


def _difference_in_float32(
    captured: CapturedProgram, model: nn.Module, examples: Sequence[Tensor]
) -> Difference | None:
    """The difference in float32, or None where the model cannot be copied, or does not run so."""
    inputs = [_single(value) for value in examples]
    try:
        expected = _outputs(copy.deepcopy(model).float(), inputs)
    except Exception:  # a model that converts to half precision itself, say
        return None
    return _difference(_InFloat32(captured.graph_module).run(*inputs), expected)


def _single(value: Any) -> Any:
    if isinstance(value, torch.dtype):
        return torch.float32 if value in HALF else value
    return value.float() if isinstance(value, Tensor) and value.dtype in HALF else value


class _InFloat32(fx.Interpreter):
    """Evaluates a graph with float32 wherever it says half precision."""

    def get_attr(self, target: Any, args: Any, kwargs: Any) -> Any:
        return _single(super().get_attr(target, args, kwargs))

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        args, kwargs = fx.node.map_aggregate((args, kwargs), _single)
        return super().call_function(target, args, kwargs)
