"""Inputs that are given by name find their place among the model's parameters.

{"ids": i, "mask": m} for forward(ids, types=None, mask=None)  →  (i, m) for model(ids=i, mask=m)
a tuple                                                        →  by position, its last entry a mapping or not
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.compiler.examples import Inputs, as_inputs
from fgcompile.compiler.request import Model
from fgcompile.errors import InputError

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


class Around(nn.Module):
    """A model of ours around the user's, which has its output and takes its inputs in another way."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.wrapped_model = model
        self.training = False


class Named(nn.Module):
    """A model of ours that takes its inputs by position or by name, which need be no names of Python's.

    Attributes:
        input_names: In order.
    """

    input_names: tuple[str, ...] = ()


class ByName(Around):
    """A model that takes its inputs by position, in the order of ``names``; the others stay at their defaults."""

    def __init__(self, model: nn.Module, names: Sequence[str]) -> None:
        super().__init__(model)
        self.names = tuple(names)

    def forward(self, *inputs: Tensor) -> Any:
        return self.wrapped_model(**dict(zip(self.names, inputs, strict=True)))


def bind_inputs(model: Model, given: Inputs) -> tuple[Model, tuple[Tensor, ...]]:
    """The inputs in the order of the model's parameters, and the model, or one around it, that takes them so.

    Raises:
        InputError: A name is unknown, missing or given twice, or a value is no tensor with a batch.
    """
    if isinstance(given, Mapping):
        given = (given,)
    single = isinstance(given, Tensor) or not isinstance(given, Iterable)
    values: tuple[Any, ...] = (given,) if single else tuple(given)
    if not values or not isinstance(values[-1], Mapping):
        return model, as_inputs(given)
    *front, last = values
    parameters = input_names(model)
    named = dict(zip(parameters, front, strict=False))
    twice = [name for name in last if name in named]
    if twice or len(named) < len(front):
        raise InputError(f"example input '{twice[0] if twice else len(front) - 1}' is given by position and by name")
    named |= last
    _require_names(model, parameters, named)
    ordered = {name: named[name] for name in [*parameters, *named] if name in named}
    tensors = as_inputs(tuple(ordered.values()), tuple(ordered))
    if isinstance(model, ExportedProgram) or list(ordered) == _positional(model)[: len(ordered)]:
        return model, tensors
    return ByName(model, tuple(ordered)), tensors


def by_name(model: Model, names: Sequence[str], values: Sequence[Tensor]) -> Inputs:
    """An artifact's inputs as the model takes them: by name where all of them are names of its parameters."""
    known = len(set(names)) == len(names) == len(values) and set(names) <= set(input_names(model))
    return dict(zip(names, values, strict=True)) if known else tuple(values)


def argument_names(model: Model, count: int) -> list[str]:
    """The names of the first ``count`` inputs that a model takes by position."""
    if isinstance(model, ByName):
        return list(model.names[:count])
    if isinstance(model, Around):
        return argument_names(model.wrapped_model, count)
    if isinstance(model, ExportedProgram | Named):
        return input_names(model)[:count]
    names: list[str] = []
    for name, parameter in _parameters(model).items():
        several = parameter.kind == inspect.Parameter.VAR_POSITIONAL
        names += [f"{name}_{index}" for index in range(count)] if several else [name]
    return names[:count]


def innermost(model: Model) -> Model:
    """The user's own model."""
    while isinstance(model, Around):
        model = model.wrapped_model
    return model


def model_name(model: Model) -> str:
    """What messages and metadata call a model: its class, or its file."""
    name = getattr(model, "source_name", None)
    return name if isinstance(name, str) else type(model).__name__


def input_names(model: Model) -> list[str]:
    """The names of what a model takes, in order."""
    if isinstance(model, ExportedProgram):
        return [str(name) for name in model.graph_signature.user_inputs]
    if isinstance(model, Named):
        return list(model.input_names)
    if isinstance(model, torch.jit.ScriptModule):
        forward: Any = model.forward
        return [argument.name for argument in forward.schema.arguments[1:]]
    return [name for name, parameter in _parameters(model).items() if parameter.kind not in VARIADIC]


def _parameters(model: nn.Module) -> Mapping[str, inspect.Parameter]:
    return inspect.signature(model.forward).parameters


def _positional(model: nn.Module) -> list[str]:
    if isinstance(model, Named):
        return input_names(model)
    return [name for name, parameter in _parameters(model).items() if parameter.kind in POSITIONAL]


def _require_names(model: Model, parameters: Sequence[str], named: Mapping[str, Any]) -> None:
    if isinstance(model, ExportedProgram | Named):
        required, others = set(parameters), False
    else:
        signature = _parameters(model).values()
        required = {one.name for one in signature if one.default is one.empty and one.kind not in VARIADIC}
        others = any(one.kind == one.VAR_KEYWORD for one in signature)
    for problem, names in (
        ("unknown", [name for name in named if name not in parameters and not others]),
        ("missing", [name for name in parameters if name in required and name not in named]),
    ):
        if names:
            kind = "the program" if isinstance(model, ExportedProgram) else model_name(model)
            raise InputError(
                f"{problem} example input {', '.join(map(repr, names))}: {kind} takes {', '.join(parameters)}"
            )
