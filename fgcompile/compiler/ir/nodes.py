"""What a node of a graph says of itself: the layer it comes from, and whether it draws random numbers."""

from __future__ import annotations

import keyword
import operator
import re
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.torch_internals import OpOverload, schema_of

COMPOSITE = (".container.", ".transformer.", ".rnn.", "MultiheadAttention")
"""PyTorch's own modules that are made of several operators, so that a name needs the operator too."""

SINGLE = ("torch.nn.modules.", "fgcompile.compiler.capture.onnx.node.")
"""Where the modules are defined that are named without their operator: PyTorch's own, and a node of an ONNX file."""


def layer_name(node: fx.Node) -> str:
    """The qualified name of the layer that a node comes from; for a function in a module, ``<module>.<operator>``."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    called = str(node.target).split(".")[1] if "." in str(node.target) else node.name
    called = called.strip("_").replace("native_", "").removesuffix("_with_indices")
    if not stack:
        return called
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else f"{kind.__module__}.{kind.__qualname__}"
    if path and kind.startswith(SINGLE) and not any(part in kind for part in COMPOSITE):
        return str(path)
    return f"{path}.{called}" if path else called


def user_line(node: fx.Node) -> str | None:
    """``file:line`` of the innermost line of the model's code that a node was captured from, where that is known."""
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    others = str(Path(torch.__file__).parent)
    own = [f"{file}:{line}" for file, line in frames if not file.startswith((others, _OURS))]
    return own[-1] if own else None


_FRAME = re.compile(r'File "([^"]+)", line (\d+)')

_OURS = str(Path(__file__).parents[2])


def free_name(name: str, taken: Container[str]) -> str:
    """The name, or where it is taken (``layer_1`` and ``layer.1`` both make ``layer_1``) the first free variant."""
    candidate, count = name, 1
    while candidate in taken:
        count += 1
        candidate = f"{name}__{count}"
    return candidate


def identifier(name: str, taken: Container[str]) -> str:
    """A name of Python's for an input that may be called anything (``image:0``, ``class``, ``1``), free as another."""
    plain = re.sub(r"\W", "_", name)
    # An argument beside what a graph's code itself calls so.
    usable = plain.isidentifier() and not keyword.iskeyword(plain) and plain not in ("self", "torch")
    return free_name(plain if usable else f"input_{plain}", taken)


def identifiers(names: Iterable[str]) -> list[str]:
    """The same of several, each its own."""
    found: list[str] = []
    for name in names:
        found.append(identifier(name, found))
    return found


def call_of(node: fx.Node) -> fx.Node:
    """The call that a node is the result of: the node itself, or for one of several outputs what it is picked from."""
    source = node.args[0] if node.target is operator.getitem else node
    assert isinstance(source, fx.Node)
    return source


def is_random(node: fx.Node) -> bool:
    """Whether two evaluations of the node on the same operands may differ."""
    return isinstance(node.target, OpOverload) and torch.Tag.nondeterministic_seeded in node.target.tags


def bind(node: fx.Node) -> dict[str, Any]:
    """The arguments of a node's call by the names of its operator's schema, with the schema's defaults."""
    assert isinstance(node.target, OpOverload)
    bound: dict[str, Any] = {}
    for position, argument in enumerate(schema_of(node.target).arguments):
        if position < len(node.args):
            bound[argument.name] = node.args[position]
        elif argument.name in node.kwargs:
            bound[argument.name] = node.kwargs[argument.name]
        elif argument.has_default_value():
            bound[argument.name] = argument.default_value
    return bound


def is_differentiable(value: Any) -> bool:
    """Whether a node's value (or any of its outputs) can carry a gradient."""
    if isinstance(value, tuple | list):
        return any(is_differentiable(item) for item in value)
    return isinstance(value, Tensor) and (value.is_floating_point() or value.is_complex())
