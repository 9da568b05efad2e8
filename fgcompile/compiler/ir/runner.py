"""What a pass is, and the one runner of passes.

A pass is a function in a file of its own, whose docstring is the rewrite. There are two kinds:

    @as_pass(requires=("share_subexpressions",))
    def merge_halves(graph_module: fx.GraphModule) -> bool          in place; says whether it changed something

    @as_pass()
    def fold_padding(program: BiasedProgram) -> BiasedProgram       leaves the program as it is, and returns that very
                                                                    program where there is nothing to change

The first serves fused graphs, those of back ends and ONNX models; who wants to keep the graph copies it before. A pass
with options is a function that returns a ``Pass``, as ``convert_floats(torch.float32)``. A list of passes is the order
in which they run, once each: what stands after another may count on it, and says so by ``requires``.

The runner does what is the same for all. Before any pass runs, it refuses a list in which one stands without what it
requires. After each it checks that no dynamic size became a number; after each that changed something, it removes dead
code, checks the graph's form, and that no value that was there before and no result changed its shape or dtype, and no
call returns another than its node says (a call that the pass wrote is evaluated over fake tensors); the graph's code it
makes anew at the end. A pass that fails is named, with those before it. ``FGCOMPILE_DUMP=FOLDER`` writes the graph
after each (``fgcompile.compiler.ir.dump``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

import torch
from torch import Tensor, fx

from fgcompile.compiler.ir.dump import VARIABLE, dump
from fgcompile.compiler.ir.graph_text import graph_text
from fgcompile.compiler.ir.graphs import RESHAPES, call_over_fakes, propagate_shapes, tensors_given
from fgcompile.compiler.ir.sizes import same_size
from fgcompile.compiler.ir.torch_internals import OpOverload, pytree, symbols_in
from fgcompile.errors import CompilerError, FgcompileError, first_line


class Program(Protocol):
    """What has a graph: the values that stages exchange."""

    @property
    def graph_module(self) -> fx.GraphModule:
        """Its graph."""


Value = TypeVar("Value")
Result = TypeVar("Result")
AProgram = TypeVar("AProgram", bound=Program)


@dataclass(frozen=True)
class Pass(Generic[Value, Result]):
    """One rewrite, which the runner runs.

    Attributes:
        name: Its name, which is its file's or says what of it.
        rewrite: The rewrite, of one of the two kinds.
        requires: The names of the passes that must have run before it, or what it does is wrong.
        changes_dtypes: Whether values take another dtype, which the runner refuses otherwise.
        renames_sizes: Whether symbolic sizes become others, so that shapes cannot be compared.
        stale_values: Whether it leaves ``meta["val"]`` of nodes to be recomputed, which the runner then does.
    """

    name: str
    rewrite: Callable[[Value], Result]
    requires: tuple[str, ...] = ()
    changes_dtypes: bool = False
    renames_sizes: bool = False
    stale_values: bool = False


GraphPass = Pass[fx.GraphModule, bool]
"""Rewrites a graph in place."""


def as_pass(
    requires: tuple[str, ...] = (), renames_sizes: bool = False, stale_values: bool = False
) -> Callable[[Callable[[Value], Result]], Pass[Value, Result]]:
    """Makes a pass without options of its function, and names it as that."""

    def decorate(rewrite: Callable[[Value], Result]) -> Pass[Value, Result]:
        return Pass(rewrite.__name__, rewrite, requires, renames_sizes=renames_sizes, stale_values=stale_values)

    return decorate


def run_passes(graph_module: fx.GraphModule, passes: Sequence[GraphPass], ran: Sequence[str] = ()) -> bool:
    """Rewrites a graph in place by passes, in their order; whether any of them changed it.

    Args:
        graph_module: The graph.
        passes: The passes.
        ran: The names of those that ran on it before, in another list.

    Raises:
        CompilerError: A pass lacks what it requires, fails, or changes a shape or dtype; it is named.
    """
    changed = False
    for each, before in _in_order(passes, ran):
        with _named(each, before):
            values, sizes = _Values.of(graph_module.graph), _sizes_of(graph_module.graph)
            if each.rewrite(graph_module):
                changed = True
                _tidy(graph_module, each, values)
            _require_sizes(each, sizes, graph_module.graph)
        dump_stage(each.name, graph_module)
    if changed:
        graph_module.recompile()
    return changed


def run_program_passes(
    program: AProgram, passes: Sequence[Pass[AProgram, AProgram]], ran: Sequence[str] = ()
) -> AProgram:
    """The program as passes make it; arguments and errors as for ``run_passes``. The given one is left as it is."""
    for each, before in _in_order(passes, ran):
        with _named(each, before):
            sizes = _sizes_of(program.graph_module.graph)
            result = each.rewrite(program)
            if result is not program:
                _tidy(result.graph_module, each, _Values.of(program.graph_module.graph))
                result.graph_module.recompile()
            _require_sizes(each, sizes, result.graph_module.graph)
        program = result
        dump_stage(each.name, program.graph_module)
    return program


def run_model_passes(
    model: Value, passes: Sequence[Pass[Value, bool]], text: Callable[[Value], str] = str, ran: Sequence[str] = ()
) -> bool:
    """Rewrites what is no graph of PyTorch's in place, such as an ONNX model; whether a pass changed it.

    What is dead and what is well-formed in it, its own library knows: that is a pass there.
    """
    changed = False
    for each, before in _in_order(passes, ran):
        with _named(each, before):
            changed |= each.rewrite(model)
        dump(each.name, partial(text, model))
    return changed


def tidy(graph_module: fx.GraphModule) -> None:
    """What is due after a rewrite: no dead code, a graph of sound form, and code that says what the graph says."""
    graph_module.graph.eliminate_dead_code()  # which checks the graph's form first
    graph_module.recompile()


def dump_stage(stage: str, graph_module: fx.GraphModule) -> None:
    """Writes the graph as a stage leaves it, where it is asked for."""
    dump(stage, partial(graph_text, graph_module.graph))


def _in_order(passes: Sequence[Pass[Any, Any]], ran: Sequence[str]) -> Iterator[tuple[Pass[Any, Any], list[str]]]:
    """Each pass and the names of those before it, once the whole list is known to be in order."""
    names = [*ran, *(each.name for each in passes)]
    for position, each in enumerate(passes, len(ran)):
        missing = [name for name in each.requires if name not in names[:position]]
        if missing:
            raise CompilerError(f"the pass '{each.name}' needs {_quoted(missing)} before it: put it there in the list")
    return ((each, names[:position]) for position, each in enumerate(passes, len(ran)))


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


@contextmanager
def _named(each: Pass[Any, Any], before: Sequence[str]) -> Iterator[None]:
    """Names the pass in what it raises; what is raised on purpose says itself what is wrong, to whom it concerns."""
    try:
        yield
    except FgcompileError:
        raise
    except Exception as error:
        behind = f" behind {_quoted(before)}" if before else ""
        raise CompilerError(
            f"the pass '{each.name}' failed{behind}: {type(error).__name__}: {first_line(error)}; "
            f"this is a fault of fgcompile: report it, with the files that {VARIABLE}=FOLDER writes"
        ) from error


def _tidy(graph_module: fx.GraphModule, each: Pass[Any, Any], before: _Values) -> None:
    graph_module.graph.eliminate_dead_code()  # which checks the graph's form first
    if each.stale_values:
        propagate_shapes(graph_module)
    after = _Values.of(graph_module.graph)
    for node in [] if each.stale_values else _rewritten_calls(graph_module.graph, before):
        _require_same(each, f"'{node.name}'", node.meta["val"], call_over_fakes(node))
    for name, value in before.nodes.items():
        if name in after.nodes:
            _require_same(each, f"'{name}'", value, after.nodes[name])
    if len(before.results) != len(after.results):
        raise CompilerError(f"the pass '{each.name}' makes {len(after.results)} results of {len(before.results)}")
    for position, (value, result) in enumerate(zip(before.results, after.results, strict=True)):
        _require_same(each, f"result {position}", value, result)


def _sizes_of(graph: fx.Graph) -> Set[str]:
    """The dynamic sizes of what a graph takes; to make one a number, an assumption by the way is enough."""
    sizes = (size for value in tensors_given(graph) for size in value.shape)
    return {str(symbol) for size in sizes for symbol in symbols_in(size)}


def _require_sizes(each: Pass[Any, Any], before: Set[str], graph: fx.Graph) -> None:
    if not each.renames_sizes and (fixed := before - _sizes_of(graph)):
        raise CompilerError(
            f"the pass '{each.name}' makes the dynamic size {min(fixed)} a number, or another of them: "
            "this is a fault of fgcompile, please report the model"
        )


@dataclass(frozen=True)
class _Values:
    """The fake tensors of a graph, of its nodes by name and of its results, and what each node calls."""

    nodes: Mapping[str, Any]
    results: Sequence[Any]
    calls: Mapping[str, tuple[Any, Any, Any]]

    @classmethod
    def of(cls, graph: fx.Graph) -> _Values:
        results = [leaf for leaf in pytree.tree_leaves(graph.output_node().args) if isinstance(leaf, fx.Node)]
        nodes = {node.name: node.meta["val"] for node in graph.nodes if "val" in node.meta}
        calls = {node.name: (node.target, node.args, node.kwargs) for node in graph.nodes if node.op == "call_function"}
        return cls(nodes, [node.meta.get("val") for node in results], calls)


ALIKE = frozenset(RESHAPES)
"""Operators that return the same for the same operands: views become reshapes by the hundred."""


def _rewritten_calls(graph: fx.Graph, before: _Values) -> Iterator[fx.Node]:
    """The calls that a pass wrote: new ones, and those of another operator or of operands of other shapes."""
    for node in graph.nodes:
        if not isinstance(node.target, OpOverload) or "val" not in node.meta:
            continue
        target, *old = before.calls.get(node.name, (None, None, None))
        new = [node.args, node.kwargs]
        # Most nodes are untouched, and their arguments the same objects; of the others most read what replaced an
        # operand, which is of its shape.
        same = (target is node.target or {target, node.target} <= ALIKE) and (
            all(a is b for a, b in zip(new, old, strict=True))
            or fx.map_arg(new, _signature) == fx.map_arg(old, _signature)
        )
        if not same and all("val" in source.meta for source in node.all_input_nodes):
            yield node


def _signature(node: fx.Node) -> Any:
    """The shape and dtype of a node's value, as something to compare."""
    leaves = pytree.tree_leaves(node.meta.get("val"))
    return str([(tuple(map(str, x.shape)), x.dtype) if isinstance(x, Tensor) else x for x in leaves])


def _require_same(each: Pass[Any, Any], what: str, before: Any, after: Any) -> None:
    """Refuses another shape or dtype. A value that no pass touched is the same object: most are, and cost nothing."""
    if before is after or before is None or after is None:
        return
    for old, new in zip(pytree.tree_leaves(before), pytree.tree_leaves(after), strict=True):
        if not isinstance(old, Tensor) or not isinstance(new, Tensor):
            continue
        if not each.renames_sizes and not _same_shape(old.shape, new.shape):
            raise CompilerError(f"the pass '{each.name}' changes the shape of {what}: {[*old.shape]} to {[*new.shape]}")
        if not each.changes_dtypes and old.dtype != new.dtype:
            raise CompilerError(f"the pass '{each.name}' changes the dtype of {what}: {old.dtype} to {new.dtype}")


def _same_shape(old: torch.Size, new: torch.Size) -> bool:
    return len(old) == len(new) and all(a is b or same_size(a, b) for a, b in zip(old, new, strict=True))
