"""One call of a ``torch.autograd.Function``: its arguments, and how its forward and its backward are run apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import SymInt, Tensor
from torch.autograd import Function
from torch.autograd.function import FunctionCtx

from fgcompile.compiler.ir.torch_internals import has_setup_context, pytree
from fgcompile.errors import CaptureError, first_line


@dataclass(frozen=True)
class Slot:
    """Stands for an operand, or a size, among the leaves of the arguments."""

    kind: type
    index: int


class Context(FunctionCtx):
    """What a function keeps for its backward, as an object of its own: the real one belongs to autograd's graph."""

    def __init__(self, needed: tuple[bool, ...]) -> None:
        self.needs_input_grad = needed
        self.to_save: tuple[Any, ...] = ()
        self.dirty_tensors: tuple[Tensor, ...] = ()
        self.non_differentiable: tuple[Tensor, ...] = ()

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        return self.to_save


@dataclass(frozen=True)
class Run:
    """What running a call gave.

    Attributes:
        outputs: The forward's results.
        single: Whether the function returns one result, and no tuple.
        differentiable: The positions among ``outputs`` of the tensors that carry a gradient.
        context: What the backward needs.
    """

    outputs: tuple[Any, ...]
    single: bool
    differentiable: tuple[int, ...]
    context: Context


@dataclass(frozen=True)
class FunctionCall:
    """A call ``F.apply(*arguments)``, but for its tensors and symbolic sizes.

    Attributes:
        function: The class.
        leaves: The arguments' leaves, tensors and symbolic sizes as slots.
        spec: Their structure.
    """

    function: type[Function]
    leaves: tuple[Any, ...]
    spec: Any

    @property
    def name(self) -> str:
        """The class's name."""
        return self.function.__name__

    def arguments(self, operands: Sequence[Tensor], sizes: Sequence[int | SymInt]) -> tuple[Any, ...]:
        """The arguments of these tensors and sizes."""
        values: dict[type, Sequence[Any]] = {Tensor: operands, SymInt: sizes}
        leaves = [values[leaf.kind][leaf.index] if isinstance(leaf, Slot) else leaf for leaf in self.leaves]
        arguments: tuple[Any, ...] = pytree.tree_unflatten(leaves, self.spec)
        return arguments

    def differentiable_arguments(self, operands: Sequence[Tensor]) -> dict[int, int]:
        """The position of each argument that may carry a gradient, and which operand it is."""
        slots = self.spec.unflatten(list(self.leaves))
        return {
            position: slot.index
            for position, slot in enumerate(slots)
            if isinstance(slot, Slot) and slot.kind is Tensor and operands[slot.index].is_floating_point()
        }

    def forward(self, operands: Sequence[Tensor], sizes: Sequence[int | SymInt]) -> Run:
        """Runs the forward.

        Raises:
            CaptureError: It changes an operand in place.
        """
        arguments = self.arguments(operands, sizes)
        needed = self.differentiable_arguments(operands)
        context = Context(tuple(position in needed for position in range(len(arguments))))
        forward: Any = self.function.forward
        with torch.no_grad():
            if has_setup_context(self.function):
                result = forward(*arguments)
                self.function.setup_context(context, arguments, result)
            else:
                result = forward(context, *arguments)
        if context.dirty_tensors:
            raise self.refused("changes its input in place (mark_dirty)", "return a new tensor")
        outputs = result if isinstance(result, tuple) else (result,)
        constant = {id(value) for value in context.non_differentiable}
        differentiable = tuple(
            position
            for position, value in enumerate(outputs)
            if isinstance(value, Tensor) and value.is_floating_point() and id(value) not in constant
        )
        return Run(outputs, not isinstance(result, tuple), differentiable, context)

    def backward(self, run: Run, cotangents: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        """One gradient for each argument, given one for each differentiable output.

        Raises:
            CaptureError: It returns another number of gradients than there are arguments.
        """
        given: dict[int, Any] = dict(zip(run.differentiable, cotangents, strict=True))
        gradients = [
            given.get(position, torch.zeros_like(value) if isinstance(value, Tensor) else None)
            for position, value in enumerate(run.outputs)
        ]
        own = self.function.backward is not Function.backward
        with torch.no_grad():
            result = (self.function.backward if own else self.function.vjp)(run.context, *gradients)
        results = result if isinstance(result, tuple) else (result,)
        count = len(run.context.needs_input_grad)
        if len(results) < count or any(value is not None for value in results[count:]):
            raise self.refused(f"returns {len(results)} gradients for {count} arguments", "return one for each")
        return results[:count]

    def refused(self, why: str, advice: str) -> CaptureError:
        """The error that names the class."""
        return CaptureError(f"the autograd function '{self.name}' {why}: {advice}")

    def untraceable(self, part: str, error: Exception) -> CaptureError:
        """The error of a forward or backward that fails where tensors have no values."""
        return self.refused(
            f"has a {part} that cannot be traced ({first_line(error)})",
            "write it with operators of PyTorch alone, without decisions by values",
        )


def call_of(function: type[Function], arguments: tuple[Any, ...]) -> tuple[FunctionCall, list[Tensor], list[SymInt]]:
    """The call, its tensors and its symbolic sizes."""
    leaves, spec = pytree.tree_flatten(arguments)
    found: dict[type, list[Any]] = {Tensor: [], SymInt: []}
    slots: list[Any] = []
    for leaf in leaves:
        kind = next((kind for kind in found if isinstance(leaf, kind)), None)
        if kind is None:
            slots.append(leaf)
        else:
            slots.append(Slot(kind, len(found[kind])))
            found[kind].append(leaf)
    return FunctionCall(function, tuple(slots), spec), found[Tensor], found[SymInt]
