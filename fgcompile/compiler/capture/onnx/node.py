"""One node of an ONNX graph as a module: its constants are its parameters, its name is the layer's."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.values import Known, Value, as_tensor, numbers
from fgcompile.errors import CaptureError, UnsupportedOpError


class OnnxNode(nn.Module):
    """Computes one node.

    Attributes:
        title: The node's operator and name, as messages have it.
    """

    def __init__(
        self,
        title: str,
        operator: Operator,
        attributes: Mapping[str, Any],
        constants: Mapping[int, Constant],
        outputs: int,
    ) -> None:
        super().__init__()
        self.title, self._operator, self._outputs = title, operator, outputs
        signature = inspect.signature(operator.compute).parameters.values()
        self._inputs = [one for one in signature if one.kind is not one.KEYWORD_ONLY]
        wanted = [one.name for one in signature if one.kind is one.KEYWORD_ONLY]
        unknown = [name for name in attributes if name not in wanted]
        if unknown:
            raise CaptureError(f"{title} has the attribute '{unknown[0]}', which fgcompile does not read")
        self._attributes = {**attributes, **({"outputs": outputs} if "outputs" in wanted else {})}
        self._known: dict[int, Known] = {index: one.value for index, one in constants.items()}
        for index, one in constants.items():
            if not self._is_number(index, one.value):
                one.register(self, self._name(index))
        self.training = False

    def forward(self, *values: Value) -> tuple[Value, ...]:
        """The node's outputs, of its inputs in order; constants are None there."""
        filled = [self._known.get(index, value) for index, value in enumerate(values)]
        try:
            return _tuple(self._compute(filled))
        except UnsupportedOpError as error:
            raise UnsupportedOpError(f"{self.title}: {error}") from None

    def _compute(self, filled: Sequence[Value]) -> Any:
        given = [value for value in filled if value is not None]
        on_numbers = self._operator.on_numbers
        # Of constants alone it is computed once, as of tensors: their dtypes are kept, and they may be large.
        sizes = all(isinstance(value, np.ndarray) for value in given) and len(given) > len(self._known)
        if on_numbers is not None and sizes:
            return on_numbers(*filled, **self._attributes)
        return self._operator.compute(*map(self._as_wanted, range(len(filled)), filled), **self._attributes)

    def _name(self, index: int) -> str:
        # The last parameter may be ``*others``.
        parameter = self._inputs[min(index, len(self._inputs) - 1)]
        return f"{parameter.name}_{index}" if parameter.kind is parameter.VAR_POSITIONAL else parameter.name

    def _is_number(self, index: int, value: Value) -> bool:
        name = self._name(index)
        if name in self._operator.numbers_if_known:
            return isinstance(value, np.ndarray) and value.size == 1
        return name in self._operator.numbers

    def _as_wanted(self, index: int, value: Value) -> Any:
        if value is None:
            return None
        name = self._name(index)
        if not self._is_number(index, value):
            return getattr(self, name) if index in self._known else as_tensor(value)
        if isinstance(value, np.ndarray):
            return value.item() if name in self._operator.numbers_if_known else numbers(value)
        raise CaptureError(
            f"{self.title} takes its {name} from values that are computed: one graph needs them constant"
        )


class Constant:
    """A tensor of the file, which several nodes may read: one parameter for all of them."""

    def __init__(self, value: Known) -> None:
        self.value = value
        self._tensor: torch.Tensor | None = None

    def register(self, module: nn.Module, name: str) -> None:
        """Makes it a parameter of a module, or a buffer where its numbers are no floating-point ones."""
        if self._tensor is None:
            tensor = as_tensor(self.value)
            floating = tensor.is_floating_point()
            self._tensor = nn.Parameter(tensor, requires_grad=False) if floating else tensor
        if isinstance(self._tensor, nn.Parameter):
            module.register_parameter(name, self._tensor)
        else:
            module.register_buffer(name, self._tensor)


def _tuple(result: Any) -> tuple[Value, ...]:
    return tuple(result) if isinstance(result, Sequence) and not isinstance(result, str) else (result,)
