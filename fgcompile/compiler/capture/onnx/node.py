"""One node of an ONNX graph as a module: its constants are its parameters, its name is the layer's."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from fgcompile.compiler.capture.onnx.counted import counted
from fgcompile.compiler.capture.onnx.levels import Levels
from fgcompile.compiler.capture.onnx.operators.casts import DTYPES
from fgcompile.compiler.capture.onnx.operators.operator import Operator
from fgcompile.compiler.capture.onnx.places import Found, Places
from fgcompile.compiler.capture.onnx.values import Known, Value, as_known, as_tensor, is_symbolic, numbers
from fgcompile.compiler.ir.torch_internals import without_modes
from fgcompile.errors import CaptureError, UnsupportedOpError


class OnnxNode(nn.Module):
    """Computes one node.

    Attributes:
        title: The node's operator and name, as messages have it.
        change: How what it is given follows the batch where the file has its own in it; its last input then is by what
            factor.
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
        self.title, self._operator = title, operator
        self.operator_name = title.partition(" ")[0]
        signature = inspect.signature(operator.compute).parameters.values()
        self._inputs = [one for one in signature if one.kind not in (one.KEYWORD_ONLY, one.VAR_KEYWORD)]
        wanted = [one.name for one in signature if one.kind is one.KEYWORD_ONLY]
        passed = any(one.kind is one.VAR_KEYWORD for one in signature)  # to another row's function
        unknown = [name for name in attributes if name not in wanted and not passed]
        if unknown:
            raise CaptureError(f"{title} has the attribute '{unknown[0]}', which fgcompile does not read")
        missing = [one.name for one in signature if _is_missing(one, attributes)]
        if missing:
            raise CaptureError(f"{title} has no attribute '{missing[0]}', which it needs: export the model again")
        self._attributes = {**attributes, **({"outputs": outputs} if "outputs" in wanted else {})}
        self._known: dict[int, Known] = {}
        self._own: set[int] = set()
        self._parts: dict[int, list[str]] = {}
        for index, one in constants.items():
            if (prepare := operator.prepare.get(self._name(index))) is not None:
                self._register_parts(index, prepare(one.value))
                continue
            as_numbers = self._is_number(index, one.value) or self._name(index) in operator.either
            # Small ones may meet sizes, and what is computed of both is known; large ones are held once.
            if as_numbers or one.value.size <= _SMALL:
                self._known[index] = one.value
            if not as_numbers:
                self._register(index, one)
        self.change: Callable[[Sequence[Value], Any], list[Value]] | None = None
        self.training = False

    def _register(self, index: int, one: Constant) -> None:
        try:
            one.register(self, self._name(index))
        except UnsupportedOpError as error:
            raise UnsupportedOpError(f"{self.title}: {error}") from error
        self._own.add(index)

    def _register_parts(self, index: int, arrays: Sequence[Known]) -> None:
        self._parts[index] = [f"{self._name(index)}_{place}" for place in range(len(arrays))]
        for name, array in zip(self._parts[index], arrays, strict=True):
            Constant(array).register(self, name)

    def forward(self, *values: Value) -> tuple[Value, ...]:
        """The node's outputs, of its inputs in order; constants are None there.

        Raises:
            UnsupportedOpError: The row has no form of it.
        """
        try:
            results = self._computed(values)
        except UnsupportedOpError as error:
            raise UnsupportedOpError(f"{self.title}: {error}") from error
        except (KeyError, AssertionError, NotImplementedError) as error:  # what no row has is no fault of the inputs'
            raise UnsupportedOpError(f"{self.title} is of a form that fgcompile does not read ({error!r})") from error
        return tuple(map(self._signed, results)) if self.operator_name == "NonZero" else results

    def _signed(self, value: Value) -> Value:
        """Places that say which node found them."""
        return replace(value, title=self.title) if isinstance(value, Found) else value

    def _computed(self, values: Sequence[Value]) -> tuple[Value, ...]:
        if self.change is not None:
            return self._changed(values[:-1], values[-1])
        filled = [self._filled(index, value) for index, value in enumerate(values)]
        given = [value for value in filled if value is not None]
        compute, on_numbers = self._operator.compute, self._operator.on_numbers
        if all(isinstance(value, np.ndarray) for value in given):
            if not any(map(is_symbolic, given)):
                # Nothing of this needs a gradient; a switch that said so would stand in the graph, and split it there.
                with without_modes():
                    wanted = [self._as_wanted(index, value) for index, value in enumerate(filled)]
                    return tuple(map(as_known, _tuple(compute(*wanted, **self._attributes))))
            results = NotImplemented if on_numbers is None else on_numbers(*filled, **self._attributes)
            if results is not NotImplemented:
                return _tuple(results)
        own = [getattr(self, self._name(at)) if at in self._own else value for at, value in enumerate(filled)]
        if any(isinstance(value, Places) for value in own) or self.operator_name == "Expand":
            result = counted(self.operator_name, filled, self._attributes)
            if result is not NotImplemented:
                return (result,)
            own = [as_tensor(value) if isinstance(value, Places) else value for value in own]
        if not self._operator.levels and any(isinstance(value, Levels) for value in own):
            return self._on_levels(own)
        return _tuple(compute(*map(self._as_wanted, range(len(own)), own), **self._attributes))

    def _on_levels(self, values: Sequence[Value]) -> tuple[Value, ...]:
        """What an operator makes of levels that puts elements elsewhere, or takes some of them."""
        (found,) = [value for value in values if isinstance(value, Levels)]
        if self.operator_name not in KEEPING_LEVELS or found.scale.ndim:
            raise UnsupportedOpError(
                f"it computes with numbers of 8 bits themselves: only {', '.join(sorted(KEEPING_LEVELS))} are read so"
            )
        plain = [found.level if value is found else value for value in values]
        results = _tuple(self._operator.compute(*map(self._as_wanted, range(len(plain)), plain), **self._attributes))
        return tuple(found.like(each) if isinstance(each, Tensor) else each for each in results)

    def _changed(self, values: Sequence[Value], factor: Any) -> tuple[Value, ...]:
        assert self.change is not None
        filled = self.change([self._filled(index, value) for index, value in enumerate(values)], factor)
        if any(isinstance(value, Places) for value in filled):
            result = counted(self.operator_name, filled, self._attributes)
            if result is not NotImplemented:
                return (result,)
        return _tuple(self._operator.compute(*map(self._as_wanted, range(len(filled)), filled), **self._attributes))

    @property
    def dtype(self) -> torch.dtype | None:
        """What it casts to, if it does."""
        return DTYPES.get(self._attributes["to"]) if self.operator_name == "Cast" else None

    def filled(self, values: Sequence[Value]) -> list[Value]:
        """What the node computes with: its constants, and values for its other inputs."""
        return [self._filled(index, value) for index, value in enumerate(values)]

    def constants(self) -> set[int]:
        """Which of the node's inputs are constants."""
        return self._own | set(self._known) | set(self._parts)

    def _filled(self, index: int, value: Value) -> Value:
        if index in self._known:
            return self._known[index]
        if index in self._parts:
            return [getattr(self, name) for name in self._parts[index]]
        return getattr(self, self._name(index)) if index in self._own else value

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
        """A value as the row wants it: numbers, a tensor, or as it is."""
        name = self._name(index)
        if value is None or isinstance(value, Levels) or name in self._operator.either or index in self._parts:
            return value
        return self._numbers(name, value) if self._is_number(index, value) else as_tensor(value)

    def _numbers(self, name: str, value: Value) -> Any:
        if isinstance(value, np.ndarray):
            return value.item() if name in self._operator.numbers_if_known else numbers(value)
        raise CaptureError(
            f"{self.title} takes its {name} from values that are computed: one graph needs them constant"
        )


def require_inputs(title: str, operator: Operator, given: Sequence[bool]) -> None:
    """Refuses a node of another number of inputs than its operator takes.

    Args:
        title: The node's.
        operator: Its row.
        given: Whether each of its inputs is there.

    Raises:
        CaptureError: It is.
    """
    signature = inspect.signature(operator.compute).parameters.values()
    takes = [one for one in signature if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if len(given) > len(takes) and all(one.kind is not one.VAR_POSITIONAL for one in signature):
        raise CaptureError(f"{title} has {len(given)} inputs, and takes {len(takes)}: export the model again")
    # One in the middle that may be left out has no default.
    needed = [at for at, one in enumerate(takes) if one.default is one.empty and one.annotation == "Tensor"]
    if absent := [place for place in needed if place >= len(given) or not given[place]]:
        raise CaptureError(f"{title} has no input {absent[0]}, which it needs: export the model again")


def _is_missing(parameter: inspect.Parameter, attributes: Mapping[str, Any]) -> bool:
    """Whether an attribute that has to be given is not."""
    needed = parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty
    return needed and parameter.name not in attributes and parameter.name != "outputs"


KEEPING_LEVELS = {"Identity", "Reshape", "Transpose", "Flatten", "Squeeze", "Unsqueeze", "Slice", "Split", "Gather"}
KEEPING_LEVELS |= {"MaxPool", "DepthToSpace", "SpaceToDepth", "Expand"}
"""Operators that do the same to levels as to the numbers that these stand for."""

_SMALL = 1000
"""Of how many numbers a constant may be that is known beside its parameter."""


class Constant:
    """A tensor of the file, which several nodes may read: one parameter for all of them."""

    def __init__(self, value: Known) -> None:
        self.value = value
        self._tensor: torch.Tensor | None = None

    def register(self, module: nn.Module, name: str) -> None:
        """Makes it a parameter of a module, or a buffer where its numbers are no floating-point ones."""
        if self._tensor is None:
            tensor = as_tensor(self.value)
            self._tensor = nn.Parameter(tensor, requires_grad=False) if tensor.is_floating_point() else tensor
        if isinstance(self._tensor, nn.Parameter):
            module.register_parameter(name, self._tensor)
        else:
            module.register_buffer(name, self._tensor)


def _tuple(result: Any) -> tuple[Value, ...]:
    return result if isinstance(result, tuple) else (result,)
