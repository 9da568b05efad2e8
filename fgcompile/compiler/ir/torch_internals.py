"""Every name of PyTorch that the compiler uses and that PyTorch does not promise to keep: an upgrade is mended here.

What is private to Inductor is in ``backends.aotinductor.inductor_internals``, what the runtimes need in
``runtime.torch_internals``. ``tests/private_names`` finds such a name anywhere else, and checks that each of
these still does what is expected of it. All of them are there from PyTorch 2.11 to 2.13.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import SymInt, Tensor
from torch._dispatch.python import enable_python_dispatcher
from torch._ops import HigherOrderOperator, OperatorBase, OpOverload, OpOverloadPacket
from torch._prims_common import is_contiguous_or_false
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd.function import _SingleLevelFunction
from torch.export import ExportedProgram
from torch.fx import GraphModule, Node
from torch.fx.experimental import proxy_tensor
from torch.fx.experimental.symbolic_shapes import (
    ConstraintViolationError,
    DimDynamic,
    GuardOnDataDependentSymNode,
    PendingUnbackedSymbolNotFound,
    ShapeEnv,
    StatelessSymbolicContext,
    free_unbacked_symbols,
)
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes as without_modes
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.reference import PythonReferenceAnalysis

__all__ = [
    "ConstraintViolationError",
    "DimDynamic",
    "FakeTensor",
    "FakeTensorMode",
    "GuardOnDataDependentSymNode",
    "HigherOrderOperator",
    "OpOverload",
    "OpOverloadPacket",
    "OperatorBase",
    "PendingUnbackedSymbolNotFound",
    "ShapeEnv",
    "StatelessSymbolicContext",
    "below_autograd",
    "enable_python_dispatcher",
    "free_unbacked_symbols",
    "is_contiguous_or_false",
    "pytree",
    "without_modes",
]

# Operators. ``torch.ops.aten.add.Tensor`` is public, its class and its schema are not.


def argument_names(operator: OpOverload) -> list[str]:
    """The names of an operator's arguments, in order."""
    return [argument.name for argument in operator._schema.arguments]


def schema_of(operator: OpOverload) -> Any:
    """The operator's ``torch.FunctionSchema``: ``arguments``, ``returns``, ``is_mutable``."""
    return operator._schema


def below_autograd() -> Any:
    """While it is open, operators are called below autograd's dispatch keys, in this thread."""
    return torch._C._AutoDispatchBelowAutograd()


fake_quantize_learned: Callable[..., Tensor] = torch._fake_quantize_learnable_per_tensor_affine
fake_quantize_learned_channel: Callable[..., Tensor] = torch._fake_quantize_learnable_per_channel_affine

# Symbolic sizes.


def expression(size: SymInt) -> Any:
    """A symbolic size as an expression of sympy's."""
    return size.node.expr


def example(size: SymInt) -> int:
    """A symbolic size at the example's."""
    return int(size.node.hint)


def evaluated(size: int | SymInt, numbers: Mapping[Any, int]) -> int:
    """A symbolic size with numbers in place of its symbols."""
    return size if isinstance(size, int) else int(size.node.expr.subs(dict(numbers)))


def computed(size: int | SymInt, values: Mapping[Any, int | SymInt]) -> int | SymInt:
    """A symbolic size with other sizes, numbers or symbols, in place of its symbols."""
    if isinstance(size, int):
        return size
    result: int | SymInt = sympy_interp(PythonReferenceAnalysis, dict(values), size.node.expr)
    return result


def conditions_of(value: FakeTensor) -> list[tuple[Any, tuple[str, int] | None]]:
    """What was decided by the symbols of a fake tensor's mode, as expressions that held, with file and line."""
    environment: Any = value.fake_mode.shape_env
    lines: Any = ((guard.expr, guard.sloc.framework_loc) for guard in environment.guards)
    return [(condition, (line.filename, line.lineno) if hasattr(line, "lineno") else None) for condition, line in lines]


def size_range(exported: ExportedProgram, size: SymInt) -> tuple[int, int | None]:
    """The least and the largest number that an exported program takes for a symbolic size; None if any."""
    limits = exported.range_constraints.get(size.node.expr)
    if limits is None:
        return 0, None
    return int(limits.lower), int(limits.upper) if limits.upper.is_Integer else None


# Tracing.


def make_fx(
    function: Callable[..., Any], decompositions: Mapping[OpOverload, Callable[..., Any]]
) -> Callable[..., GraphModule]:
    """``make_fx`` with symbolic sizes, of a function that may meet tensors which are not fake, such as constants."""
    traced: Callable[..., GraphModule] = proxy_tensor.make_fx(
        function, decomposition_table=dict(decompositions), tracing_mode="symbolic", _allow_non_fake_inputs=True
    )
    return traced


def make_fx_before_dispatch(function: Callable[..., Any]) -> Callable[..., GraphModule]:
    """``make_fx`` at the operators that the function calls, none of them taken apart yet; ``detach`` stays too."""
    traced: Callable[..., GraphModule] = proxy_tensor.make_fx(function, pre_dispatch=True)
    return traced


def traced_node(value: Tensor) -> Node | None:
    """The node that computes a tensor in the graph under construction; None outside tracing, or for a constant."""
    mode = proxy_tensor.get_proxy_mode()
    slot = None if mode is None else proxy_tensor.get_proxy_slot(value, mode.tracer, None)
    return None if slot is None else slot.proxy.node


# Functions with a backward of their own.

Apply = Callable[..., Any]
"""``apply`` of a class of ``torch.autograd.Function``."""


@contextmanager
def functions_applied_by(
    replace: Callable[[type[torch.autograd.Function], Apply, tuple[Any, ...]], Any],
) -> Iterator[None]:
    """While it is open, ``F.apply(*args)`` of a function is ``replace(F, apply, args)`` in this thread.

    ``Function.apply`` calls its base's, into which we step: models hold ``F.apply`` itself, bound long before. Under
    transforms (``torch.func``) it calls something else, and is not replaced.
    """
    base: Any = _SingleLevelFunction
    thread = threading.get_ident()

    def apply(function: type[torch.autograd.Function], *args: Any, **keywords: Any) -> Any:
        native = super(base, function).apply
        of_an_operator = function.__module__ == "torch._library.autograd"  # what ``torch.library`` makes of an operator
        if threading.get_ident() != thread or keywords or of_an_operator:
            return native(*args, **keywords)
        return replace(function, native, args)

    base.apply = classmethod(apply)
    try:
        yield
    finally:
        del base.apply


def has_setup_context(function: type[torch.autograd.Function]) -> bool:
    """Whether the function's forward takes no context, which ``setup_context`` fills in."""
    return function.setup_context is not _SingleLevelFunction.setup_context


def takes_a_gradient() -> bool:
    """Whether this code runs within a function that ``torch.func`` differentiates (``grad``, ``jacrev``, ``jvp``)."""
    level = torch._C._functorch.peek_interpreter_stack()
    kinds = torch._C._functorch.TransformType
    return level is not None and level.key() in (kinds.Grad, kinds.Jvp)


def without_mutations(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with every write in place as a new value, when traced."""
    functional: Callable[..., Any] = torch.func.functionalize(function, remove="mutations")
    return functional


def hooked_layer(model: torch.nn.Module) -> str | None:
    """The first part of a module that has a backward hook, by its path, or by its class if it is all of it."""
    hooked = (
        path or type(part).__name__
        for path, part in model.named_modules()
        if part._backward_hooks or part._backward_pre_hooks
    )
    return next(hooked, None)


# Failures of ``torch.export``, told apart by type.


def violates_a_constraint(error: BaseException) -> bool:
    """Whether an export failed since a size that is to be dynamic has to be a constant, or in a narrower range."""
    from torch._dynamo.exc import UserError, UserErrorType

    asked = isinstance(error, UserError) and error.error_type is UserErrorType.CONSTRAINT_VIOLATION
    return asked or isinstance(error, ConstraintViolationError)


def depends_on_values(error: BaseException) -> bool:
    """Whether an export failed since the model decides by values of tensors."""
    from torch._dynamo.exc import UserError, UserErrorType

    kinds = (UserErrorType.DYNAMIC_CONTROL_FLOW, UserErrorType.ANTI_PATTERN)
    return isinstance(error, GuardOnDataDependentSymNode) or (
        isinstance(error, UserError) and error.error_type in kinds
    )


def transforms_a_function(error: BaseException) -> bool:
    """Whether an export failed in a ``torch.autograd.Function`` that a transform of ``torch.func`` was to transform."""
    lines = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == "torch._functorch.autograd_function" for frame, _ in lines)
