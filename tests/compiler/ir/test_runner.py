"""The runner: order is checked first, what a pass breaks is refused, and who failed is named."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from torch import fx
from torch.fx.experimental.proxy_tensor import make_fx

from fgcompile.compiler.ir.runner import (
    GraphPass,
    Pass,
    as_pass,
    run_model_passes,
    run_passes,
    run_program_passes,
)
from fgcompile.errors import CompilerError, InputError

aten = torch.ops.aten


@pytest.fixture
def graph_module() -> fx.GraphModule:
    return make_fx(lambda x: x.sin().cos(), tracing_mode="symbolic")(torch.ones(4, 3))


def operators(graph_module: fx.GraphModule) -> list[str]:
    return [node.name for node in graph_module.graph.nodes if node.op == "call_function"]


@as_pass()
def idle(graph_module: fx.GraphModule) -> bool:
    return False


@as_pass()
def drop_cosine(graph_module: fx.GraphModule) -> bool:
    graph_module.graph.output_node().args = tuple(graph_module.graph.find_nodes(op="call_function", target=SIN))
    return True


@as_pass(requires=("drop_cosine",))
def picky(graph_module: fx.GraphModule) -> bool:
    return False


SIN = aten.sin.default


def test_a_pass_is_named_as_its_function() -> None:
    assert (picky.name, picky.requires) == ("picky", ("drop_cosine",))


def test_dead_code_goes_and_the_code_is_made_anew(graph_module: fx.GraphModule) -> None:
    assert run_passes(graph_module, [idle, drop_cosine])
    assert operators(graph_module) == ["sin"]
    assert torch.equal(graph_module(torch.ones(2, 3)), torch.ones(2, 3).sin())


def test_what_changes_nothing_says_so(graph_module: fx.GraphModule) -> None:
    assert not run_passes(graph_module, [idle, idle])
    assert operators(graph_module) == ["sin", "cos"]


def test_a_missing_prerequisite_is_refused_before_anything_runs(graph_module: fx.GraphModule) -> None:
    with pytest.raises(CompilerError, match="'picky' needs 'drop_cosine' before it"):
        run_passes(graph_module, [idle, picky, drop_cosine])
    assert operators(graph_module) == ["sin", "cos"]


def test_a_pass_that_makes_a_dynamic_size_a_number_is_named(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def assume(graph_module: fx.GraphModule) -> bool:
        (given,) = graph_module.graph.find_nodes(op="placeholder")
        return bool(given.meta["val"].shape[0] != 4)  # as an example has it

    with pytest.raises(CompilerError, match=r"'assume' makes the dynamic size s\d+ a number"):
        run_passes(graph_module, [idle, assume])


def test_a_prerequisite_may_have_run_in_this_list_or_another(graph_module: fx.GraphModule) -> None:
    assert not run_passes(graph_module, [picky], ran=["drop_cosine"])
    assert run_passes(graph_module, [drop_cosine, picky])


def test_the_pass_that_fails_is_named_with_those_before_it(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def stumble(graph_module: fx.GraphModule) -> bool:
        raise KeyError("no such thing\nat all")

    with pytest.raises(CompilerError) as caught:
        run_passes(graph_module, [idle, stumble, drop_cosine], ran=["earlier"])
    message = str(caught.value)
    assert "the pass 'stumble' failed behind 'earlier', 'idle': KeyError:" in message
    assert "drop_cosine" not in message
    assert "\n" not in message
    assert "FGCOMPILE_DUMP" in message
    assert isinstance(caught.value.__cause__, KeyError)


def test_what_a_pass_refuses_on_purpose_stays_as_it_is(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def refuse(graph_module: fx.GraphModule) -> bool:
        raise InputError("give another input")

    with pytest.raises(InputError, match=r"^give another input$"):
        run_passes(graph_module, [refuse])


def test_a_graph_of_unsound_form_is_the_fault_of_its_pass(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def disorder(graph_module: fx.GraphModule) -> bool:
        sine, cosine = graph_module.graph.find_nodes(op="call_function")
        cosine.append(sine)
        return True

    with pytest.raises(CompilerError, match="the pass 'disorder' failed"):
        run_passes(graph_module, [disorder])


def rewriting(target: torch._ops.OpOverload, arguments: tuple[object, ...], **options: bool) -> GraphPass:
    """A pass that puts another call in the place of the cosine, and recomputes what is behind it."""

    def rewrite(graph_module: fx.GraphModule) -> bool:
        (node,) = graph_module.graph.find_nodes(op="call_function", target=aten.cos.default)
        node.target, node.args = target, (node.args[0], *arguments)
        return True

    return GraphPass("another_call", rewrite, stale_values=True, **options)


def test_a_changed_shape_is_refused(graph_module: fx.GraphModule) -> None:
    with pytest.raises(CompilerError, match=r"'another_call' changes the shape of 'cos': \[s\d+, s\d+\] to \[s\d+\]"):
        run_passes(graph_module, [rewriting(aten.sum.dim_IntList, ([1],))])


def test_a_changed_dtype_is_refused_but_of_a_pass_that_is_for_it(graph_module: fx.GraphModule) -> None:
    with pytest.raises(CompilerError, match=r"changes the dtype of 'cos': torch\.float32 to torch\.bool"):
        run_passes(graph_module, [rewriting(aten.gt.Scalar, (0,))])
    fresh = make_fx(lambda x: x.sin().cos(), tracing_mode="symbolic")(torch.ones(4, 3))
    assert run_passes(fresh, [rewriting(aten.gt.Scalar, (0,), changes_dtypes=True)])


def test_a_result_of_another_shape_is_refused(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def transpose(graph_module: fx.GraphModule) -> bool:
        output = graph_module.graph.output_node()
        with graph_module.graph.inserting_before(output):
            transposed = graph_module.graph.call_function(aten.t.default, (output.args[0],))
        transposed.meta["val"] = output.args[0].meta["val"].t()
        output.args = (transposed,)
        return True

    with pytest.raises(CompilerError, match="'transpose' changes the shape of result 0"):
        run_passes(graph_module, [transpose])


def test_a_result_more_is_refused(graph_module: fx.GraphModule) -> None:
    @as_pass()
    def double(graph_module: fx.GraphModule) -> bool:
        output = graph_module.graph.output_node()
        output.args = ((output.args[0], output.args[0]),)
        return True

    with pytest.raises(CompilerError, match="'double' makes 2 results of 1"):
        run_passes(graph_module, [double])


@dataclass(frozen=True)
class Program:
    graph_module: fx.GraphModule


def test_a_program_stays_as_it_is_and_itself_where_nothing_changes(graph_module: fx.GraphModule) -> None:
    def shorten(program: Program) -> Program:
        copied = fx.GraphModule(program.graph_module, fx.Graph())
        copied.graph.output(copied.graph.graph_copy(program.graph_module.graph, {}))
        drop_cosine.rewrite(copied)
        return replace(program, graph_module=copied)

    program = Program(graph_module)
    assert run_program_passes(program, [Pass("keep", lambda program: program)]) is program
    shortened = run_program_passes(program, [Pass("shorten", shorten)])
    assert operators(shortened.graph_module) == ["sin"]
    assert operators(program.graph_module) == ["sin", "cos"]


def test_models_of_other_libraries_are_rewritten_in_place() -> None:
    model = ["b", "a"]
    assert run_model_passes(model, [Pass("sort", lambda model: model.sort() or True)])
    assert model == ["a", "b"]
    assert not run_model_passes(model, [Pass("look", lambda model: False)])
    with pytest.raises(CompilerError, match="the pass 'take' failed behind 'look': IndexError"):
        run_model_passes(model, [Pass("look", lambda model: False), Pass("take", lambda model: bool(model[5]))])


def test_a_call_that_no_longer_returns_what_its_node_says_is_refused(graph_module: fx.GraphModule) -> None:
    """The node keeps its value from before the rewrite, which nobody recomputed."""

    @as_pass()
    def forget(graph_module: fx.GraphModule) -> bool:
        (node,) = graph_module.graph.find_nodes(op="call_function", target=aten.cos.default)
        node.target, node.args = aten.sum.dim_IntList, (node.args[0], [1])
        return True

    with pytest.raises(CompilerError, match=r"'forget' changes the shape of 'cos': \[s\d+, s\d+\] to \[s\d+\]"):
        run_passes(graph_module, [forget])
