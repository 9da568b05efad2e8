"""While a model is exported, every call of a ``torch.autograd.Function`` becomes one node of the graph.

F.apply(*arguments)  →  function_call(tensors, sizes, number of the call)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function
from torch.utils import checkpoint

from fgcompile.compiler.capture.functions.call import FunctionCall, Run, call_of
from fgcompile.compiler.ir.torch_internals import Apply, OpOverload, functions_applied_by
from fgcompile.errors import FgcompileError


@dataclass(frozen=True)
class Recording:
    """The calls, by number, and what running each gave, on fake tensors."""

    calls: list[FunctionCall] = field(default_factory=list)
    runs: dict[int, Run] = field(default_factory=dict)


_OPEN: ContextVar[Recording | None] = ContextVar("_OPEN", default=None)
"""What is recorded into: an operator knows its operands alone."""


@torch.library.custom_op("fgcompile::function_call", mutates_args=())
def _function_call(operands: Sequence[Tensor], sizes: Sequence[int], number: int) -> list[Tensor]:
    raise AssertionError("a recorded call is written out before the graph is run")


@_function_call.register_fake
def _(operands: Sequence[Tensor], sizes: Sequence[int], number: int) -> list[Tensor]:
    recording = _OPEN.get()
    assert recording is not None, "a call is recorded while exporting"
    run = recording.runs[number] = _forward(recording.calls[number], operands, sizes)
    # Fresh tensors, since an operator's results are none of its operands, nor views of them.
    return [value.detach().clone() for value in run.outputs if isinstance(value, Tensor)]


FUNCTION_CALL: OpOverload = torch.ops.fgcompile.function_call.default
"""``function_call(tensors, sizes, number) -> tensors``."""


@contextmanager
def recording() -> Iterator[Recording]:
    """While it is open, calls of functions with a backward of their own are recorded in this thread."""
    calls = Recording()
    token = _OPEN.set(calls)
    try:
        with functions_applied_by(_apply):
            yield calls
    finally:
        _OPEN.reset(token)


def _apply(function: type[Function], native: Apply, arguments: tuple[Any, ...]) -> Any:
    # Three kinds of calls: a checkpoint's function is a part of the model computed twice, whose backward is the true
    # one; one that nothing flows back through, under ``no_grad`` or of constants, is its forward alone (so are the
    # functions that another calls); all others are recorded.
    if function is checkpoint.CheckpointFunction:
        part, _, *operands = arguments
        return part(*operands)
    recording = _OPEN.get()
    call, operands, sizes = call_of(function, arguments)
    if recording is None or not torch.is_grad_enabled() or not call.differentiable_arguments(operands):
        return native(*arguments)
    recording.calls.append(call)
    number = len(recording.calls) - 1
    results = iter(FUNCTION_CALL(operands, sizes, number))
    run = recording.runs[number]
    outputs = tuple(next(results) if isinstance(value, Tensor) else value for value in run.outputs)
    return outputs[0] if run.single else outputs


def _forward(call: FunctionCall, operands: Sequence[Tensor], sizes: Sequence[int]) -> Run:
    token = _OPEN.set(None)
    try:
        return call.forward(operands, sizes)
    except FgcompileError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise call.untraceable("forward", error) from error
    finally:
        _OPEN.reset(token)
