"""Each private name of PyTorch that the compiler uses does what is expected of it."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.export import Dim


def test_operators_have_schemas() -> None:
    from fgcompile.compiler.ir.torch_internals import OperatorBase, OpOverload, argument_names, schema_of

    operator = torch.ops.aten.add_.Tensor
    assert isinstance(operator, OpOverload)
    assert isinstance(operator, OperatorBase)
    assert argument_names(operator) == ["self", "other", "alpha"]
    schema = schema_of(operator)
    assert schema.is_mutable
    assert [argument.kwarg_only for argument in schema.arguments] == [False, False, True]
    assert (schema.arguments[2].has_default_value(), schema.arguments[2].default_value) == (True, 1)
    assert len(schema.returns) == 1


def test_functions_are_applied_by_another() -> None:
    """Also where ``apply`` was bound before; and as ever afterwards, and for what PyTorch makes of an operator."""
    from fgcompile.compiler.ir.torch_internals import functions_applied_by, has_setup_context
    from tests.support.own_backwards import Modern, Round

    apply, x = Round.apply, torch.ones(2, requires_grad=True)
    with functions_applied_by(lambda function, native, arguments: (function, native(*arguments))):
        function, y = apply(x)  # type: ignore[no-untyped-call]
    assert function is Round
    assert torch.equal(y, x)
    assert isinstance(apply(x), Tensor)  # type: ignore[no-untyped-call]
    assert has_setup_context(Modern)
    assert not has_setup_context(Round)


def test_conditions_on_sizes_are_kept_with_their_lines() -> None:
    from fgcompile.compiler.ir.torch_internals import FakeTensor, holds, size_conditions, symbol_of

    class Decides(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if (x.shape[1] + 1) // 2 > 3 else x

    exported = torch.export.export(Decides(), (torch.ones(2, 8),), dynamic_shapes=({1: Dim.AUTO},), strict=False)
    (value,) = (node.meta["val"] for node in exported.graph.nodes if node.op == "placeholder")
    assert isinstance(value, FakeTensor)
    conditions = [found for found in size_conditions(value.fake_mode) if found.file == __file__]
    assert [found.line for found in conditions] == [Decides.forward.__code__.co_firstlineno + 1]
    symbol = symbol_of(value.shape[1])
    assert conditions[0].symbols == {symbol}
    assert [holds(conditions[0], {symbol: size}) for size in (6, 7)] == [False, True]


def test_a_condition_that_cannot_be_asked_is_met() -> None:
    from fgcompile.compiler.ir.torch_internals import FakeTensor, holds, size_conditions, symbol_of

    class Decides(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x * 2 if 100 % (x.shape[1] - 4) != 3 else x

    exported = torch.export.export(Decides(), (torch.ones(2, 8),), dynamic_shapes=({1: Dim.AUTO},), strict=False)
    (value,) = (node.meta["val"] for node in exported.graph.nodes if node.op == "placeholder")
    assert isinstance(value, FakeTensor)
    condition = next(found for found in size_conditions(value.fake_mode) if found.file == __file__)
    # A remainder of 0 or of less places than none.
    assert all(holds(condition, {symbol_of(value.shape[1]): size}) for size in (4, 2))


def test_a_transformed_function_is_seen_in_the_failure() -> None:
    from fgcompile.compiler.ir.torch_internals import transforms_a_function

    class Failing(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(x: Tensor) -> Tensor:
            raise RuntimeError("it fails")

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            """Keeps nothing."""

    with pytest.raises(RuntimeError, match="it fails") as caught:
        torch.vmap(Failing.apply)(torch.ones(2))
    assert transforms_a_function(caught.value)
    assert not transforms_a_function(RuntimeError())


def test_writes_in_place_become_values() -> None:
    from fgcompile.compiler.ir.torch_internals import make_fx, without_mutations

    graph = make_fx(without_mutations(lambda x: x.clone().mul_(2)), {})(torch.ones(5, 2)).graph
    assert all(str(node.target).split(".")[1:2] != ["mul_"] for node in graph.nodes)


def test_learned_quantisation_is_called_so() -> None:
    from fgcompile.compiler.ir import torch_internals as internals

    x, scale, zero = torch.tensor([[0.26, -9.0]]), torch.tensor([0.5]), torch.tensor([0.0])
    expected = torch.tensor([[0.5, -4.0]])
    assert torch.equal(internals.fake_quantize_learned(x, scale, zero, -8, 7, 1.0), expected)
    assert torch.equal(internals.fake_quantize_learned_channel(x, scale, zero, 0, -8, 7, 1.0), expected)


def test_below_autograd_there_is_no_derivative() -> None:
    from fgcompile.compiler.ir.torch_internals import below_autograd

    x = torch.ones(2, requires_grad=True)
    with below_autograd():
        assert not torch.ops.aten.mul.Tensor(x, x).requires_grad
    assert torch.ops.aten.mul.Tensor(x, x).requires_grad


def _symbolic(size: int = 6) -> Tensor:
    """A fake tensor ``(size, 3)`` whose first size is a symbol."""
    from fgcompile.compiler.ir import torch_internals as internals

    mode = internals.FakeTensorMode(shape_env=internals.ShapeEnv(), allow_non_fake_inputs=True)
    dynamic = [internals.DimDynamic.DYNAMIC, internals.DimDynamic.STATIC]
    context = internals.StatelessSymbolicContext(dynamic_sizes=dynamic)
    return mode.from_tensor(torch.ones(size, 3), symbolic_context=context)


def test_fake_tensors_have_symbolic_sizes() -> None:
    from fgcompile.compiler.ir import torch_internals as internals

    value: Any = _symbolic()
    assert isinstance(value, internals.FakeTensor)
    assert isinstance(value.fake_mode, internals.FakeTensorMode)
    doubled = value.shape[0] * 2
    factor, symbol = internals.expression(doubled).as_coeff_Mul()
    assert (int(factor), str(symbol)) == (2, str(value.shape[0]))
    assert not internals.expression(doubled).is_number
    assert internals.example(doubled) == 12
    assert isinstance(value.fake_mode.from_tensor(torch.ones(4), static_shapes=True).shape[0], int)
    assert internals.computed(doubled + 1, {symbol: 5}) == 11
    assert str(internals.computed(doubled // 3, {symbol: doubled})) == str((4 * value.shape[0]) // 3)
    assert not internals.free_unbacked_symbols(value)
    assert internals.free_unbacked_symbols(value.fake_mode.shape_env.create_unbacked_symint())


def test_contiguity_is_asked_without_fixing_a_size() -> None:
    from fgcompile.compiler.ir.torch_internals import is_contiguous_or_false

    value = _symbolic()
    assert is_contiguous_or_false(value)
    assert not is_contiguous_or_false(value.t())
    assert isinstance(value.shape[0], torch.SymInt)


def test_the_python_dispatcher_leaves_sizes_symbolic() -> None:
    from fgcompile.compiler.ir.torch_internals import enable_python_dispatcher

    value: Any = _symbolic()
    with value.fake_mode, enable_python_dispatcher():
        result = torch.ops.aten.reshape.default(value, [value.shape[0] * 3])
    assert isinstance(result.shape[0], torch.SymInt)


def test_modes_are_set_aside() -> None:
    from fgcompile.compiler.ir.torch_internals import FakeTensor, FakeTensorMode, without_modes

    with FakeTensorMode():
        assert isinstance(torch.ones(1), FakeTensor)
        with without_modes():
            assert not isinstance(torch.ones(1), FakeTensor)


def test_trees_are_flattened_and_put_together() -> None:
    from fgcompile.compiler.ir.torch_internals import pytree

    tree = {"a": (1, [2]), "b": torch.ones(1)}
    leaves, spec = pytree.tree_flatten(tree)
    assert isinstance(spec, pytree.TreeSpec)
    assert pytree.tree_unflatten(leaves, spec) == tree
    assert pytree.tree_leaves((1, [2])) == [1, 2]
    assert pytree.tree_map(lambda value: value + 1, (1, [2])) == (2, [3])
    assert pytree.tree_map_only(int, lambda value: -value, (1, "x")) == (-1, "x")


def test_functions_are_traced_and_nodes_found() -> None:
    from fgcompile.compiler.ir.torch_internals import make_fx, traced_node

    aten, constant = torch.ops.aten, torch.ones(3)
    found = []

    def function(x: Tensor) -> Tensor:
        y = torch.relu(x)
        found.extend([traced_node(y), traced_node(constant)])
        return y + constant

    graph = make_fx(function, {aten.relu.default: lambda x: aten.clamp.default(x, 0)})(torch.ones(5, 3)).graph
    assert [node.target for node in graph.nodes if node.op == "call_function"] == [
        aten.clamp.default,
        aten.add.Tensor,
    ]
    assert found[0] is not None
    assert found[0].target is aten.clamp.default
    assert found[1] is None
    assert traced_node(constant) is None


class _Fixed(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.reshape(2, 12)


class _Deciding(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


class _Failing(torch.nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise ValueError("a batch that is specialized to a constant by data-dependent control flow")


@pytest.mark.parametrize(
    ("model", "constraint", "values"), [(_Fixed(), True, False), (_Deciding(), False, True), (_Failing(), False, False)]
)
def test_failures_of_export_are_told_apart(model: torch.nn.Module, constraint: bool, values: bool) -> None:
    from fgcompile.compiler.ir.torch_internals import depends_on_values, violates_a_constraint

    with pytest.raises(Exception) as caught:  # noqa: PT011  # of whatever class: that is the question
        torch.export.export(model, (torch.zeros(2, 3, 4),), dynamic_shapes=({0: Dim("batch")},), strict=False)
    assert violates_a_constraint(caught.value) is constraint
    assert depends_on_values(caught.value) is values


def test_an_operator_without_a_derivative_is_told_by_type() -> None:
    """What ``fullgrad.differentiate`` counts on; the class is Python's own."""
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(NotImplementedError, match="derivative"):
        torch.autograd.grad(torch.special.zeta(x + 2, x).sum(), x)


def test_a_gradient_within_is_seen() -> None:
    from fgcompile.compiler.ir.torch_internals import takes_a_gradient

    seen = []

    def function(x: Tensor) -> Tensor:
        seen.append(takes_a_gradient())
        return x.sum()

    torch.func.grad(function)(torch.ones(2))
    torch.vmap(function)(torch.ones(2, 3))
    function(torch.ones(2))
    assert seen == [True, False, False]


def test_a_class_of_ones_own_stands_for_a_tensor() -> None:
    from fgcompile.compiler.ir.torch_internals import make_wrapper_subclass

    class Own(torch.Tensor):
        @classmethod
        def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            raise AssertionError

    made = make_wrapper_subclass(Own, (2, 3), strides=(1, 2), dtype=torch.float64, device="cpu")
    assert (tuple(made.shape), made.stride(), made.dtype) == ((2, 3), (1, 2), torch.float64)
