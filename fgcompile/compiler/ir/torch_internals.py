"""Every name of PyTorch that the compiler uses and that PyTorch does not promise to keep: an upgrade is mended here.

What is private to Inductor is in ``backends.aotinductor.inductor_internals``, what the runtimes need in
``runtime.torch_internals``. ``tests/private_names`` finds such a name anywhere else, and checks that each of
these still does what is expected of it. All of them are there from PyTorch 2.11 to 2.13.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import SymBool, SymInt, Tensor
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
    statically_known_true,
)
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import _disable_current_modes as without_modes
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.numbers import int_oo
from torch.utils._sympy.reference import PythonReferenceAnalysis
from torch.utils._sympy.value_ranges import ValueRanges

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
    "make_wrapper_subclass",
    "pytree",
    "statically_known_true",
    "without_modes",
]

make_wrapper_subclass: Callable[..., Any] = Tensor._make_wrapper_subclass
"""Makes a tensor of a class of one's own, which has a shape and a dtype and no memory."""

# Operators. ``torch.ops.aten.add.Tensor`` is public, its class and its schema are not.


def argument_names(operator: OpOverload) -> list[str]:
    """The names of an operator's arguments, in order."""
    return [argument.name for argument in operator._schema.arguments]


def schema_of(operator: OpOverload) -> Any:
    """The operator's ``torch.FunctionSchema``: ``arguments``, ``returns``, ``is_mutable``."""
    return operator._schema


def is_view(operator: OpOverload) -> bool:
    """Whether what an operator returns may share memory with an operand."""
    return any(value.alias_info is not None for value in operator._schema.returns)


def below_autograd() -> Any:
    """While it is open, operators are called below autograd's dispatch keys, in this thread."""
    return torch._C._AutoDispatchBelowAutograd()


fake_quantize_learned: Callable[..., Tensor] = torch._fake_quantize_learnable_per_tensor_affine
fake_quantize_learned_channel: Callable[..., Tensor] = torch._fake_quantize_learnable_per_channel_affine

# Symbolic sizes.


def expression(size: SymInt | torch.SymFloat | SymBool) -> Any:
    """A symbolic size, or what is computed of it, as an expression of sympy's."""
    return size.node.expr


def symbols_in(size: Any) -> set[Any]:
    """The symbols of a size, a condition or a number; none of a number."""
    symbolic = isinstance(size, SymInt | torch.SymFloat | SymBool)
    return set(expression(size).free_symbols) if symbolic else set()


def example(size: SymInt) -> int:
    """A symbolic size at the example's."""
    return int(size.node.hint)


def evaluated(size: int | SymInt, numbers: Mapping[Any, int]) -> int:
    """A symbolic size with numbers in place of its symbols."""
    return size if isinstance(size, int) else int(size.node.expr.subs(dict(numbers)))


def holds_at_ones(truth: SymBool) -> bool:
    """A comparison of symbolic sizes where all of them are 1, which PyTorch leaves out of what it decides."""
    expression = truth.node.expr
    return bool(expression.subs(dict.fromkeys(expression.free_symbols, 1)))


def computed(size: int | SymInt, values: Mapping[Any, int | SymInt]) -> int | SymInt:
    """A symbolic size with other sizes, numbers or symbols, in place of its symbols."""
    if isinstance(size, int):
        return size
    result: int | SymInt = sympy_interp(PythonReferenceAnalysis, dict(values), size.node.expr)
    return result


def size_range(exported: ExportedProgram, size: SymInt) -> tuple[int, int | None]:
    """The least and the largest number that an exported program takes for a symbolic size; None if any."""
    limits = exported.range_constraints.get(size.node.expr)
    if limits is None:
        return 0, None
    upper = int(limits.upper) if limits.upper.is_Integer else None
    # The largest that a symbol may be, less one where it is compared with the next, is no limit of the model's.
    return int(limits.lower), None if upper is None or upper >= sys.maxsize - 1 else upper


def open_ranges(sizes: Iterable[int | SymInt]) -> dict[Any, Any]:
    """Any number from 1 for each symbol of some sizes, as exported programs keep ranges, and fail to load without."""
    symbols = {symbol for size in sizes if isinstance(size, SymInt) for symbol in expression(size).free_symbols}
    return dict.fromkeys(sorted(symbols, key=str), ValueRanges(1, int_oo))  # in one order: files are reproducible


class SizeCondition(NamedTuple):
    """What an export took to be so of symbolic sizes: an expression of sympy's, its symbols, the line that asked."""

    expression: Any
    symbols: frozenset[Any]
    file: str
    line: int


def size_conditions(mode: FakeTensorMode) -> list[SizeCondition]:
    """The conditions that symbolic sizes have met so far, in the order in which they were asked for."""
    found = []
    for guard in () if mode.shape_env is None else mode.shape_env.guards:
        place = guard.sloc.framework_loc
        file, line = (place.filename, place.lineno or 0) if isinstance(place, traceback.FrameSummary) else ("", 0)
        found.append(SizeCondition(guard.expr, frozenset(guard.expr.free_symbols), file, line))
    return found


def holds(condition: SizeCondition, numbers: Mapping[Any, int]) -> bool:
    """Whether a condition is met by numbers in place of symbols; it is where other symbols decide, or none can be."""
    try:
        return bool(condition.expression.subs(dict(numbers)) != False)  # noqa: E712 - sympy's own, and no bool
    except (ZeroDivisionError, AssertionError):  # a layer that is empty at these numbers, or less: no remainder of it
        return True


def symbol_of(size: Any) -> Any:
    """The symbol of a symbolic size that is one, or a multiple of one."""
    return expression(size).as_coeff_Mul()[1]


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


def makes_a_number(error: BaseException | None) -> bool:
    """Whether an export that depends on values failed since one had to become a number, rather than decide."""
    while error is not None:
        if isinstance(error, GuardOnDataDependentSymNode):
            return not (getattr(error.cond, "is_Relational", False) or getattr(error.cond, "is_Boolean", False))
        error = error.__cause__ or error.__context__
    return False


def transforms_a_function(error: BaseException) -> bool:
    """Whether an export failed in a ``torch.autograd.Function`` that a transform of ``torch.func`` was to transform."""
    lines = traceback.walk_tb(error.__traceback__)
    return any(frame.f_globals.get("__name__") == "torch._functorch.autograd_function" for frame, _ in lines)
