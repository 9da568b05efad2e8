"""A translated graph made small: constants folded, operators that undo or repeat each other merged.

onnxscript's own optimiser, less what artifacts have no use for, less one rule whose time grows with the square of the
graph, and with rules of our own for adding zero and multiplying by one: ``docs/decisions/onnx-export.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import onnx_ir
from onnx_ir.passes import InPlacePass, PassManager, PassResult, Sequential
from onnx_ir.passes import common as passes

from fgcompile.compiler.backends.onnx.onnxscript_internals import (
    Constant,
    RewritePass,
    RewriteRule,
    fold_constants_ir,
    rules,
)
from fgcompile.compiler.ir.runner import as_pass


def _exactly(number: float) -> Constant:
    """The number itself: onnxscript takes any within 1e-8 for it, 1e-10 in front of a logarithm for zero too."""
    return Constant(number, rel_tol=0.0, abs_tol=0.0)


def _leaving_out(pattern: Callable[[Any, Any], Any]) -> RewriteRule:
    """The rule that puts its operand in the place of a pattern: ``x + 0``, ``x * 1``  →  ``x``."""
    return RewriteRule(pattern, lambda op, x: op.Identity(x))


_RULES: Mapping[str, tuple[RewriteRule, ...]] = {
    "Mul": (_leaving_out(lambda op, x: op.Mul(x, _exactly(1.0))),),
    "Add": (_leaving_out(lambda op, x: op.Add(x, _exactly(0.0))),),
    "Sub": (_leaving_out(lambda op, x: op.Sub(x, _exactly(0.0))),),
    "Div": (_leaving_out(lambda op, x: op.Div(x, _exactly(1.0))),),
    "MatMul": (rules.two_reshapes_matmul_reshape_rule, rules.one_reshape_matmul_reshape_rule),
    "ConstantOfShape": (rules.cast_constant_of_shape_rule, rules.cast_constant_of_shape_without_value_rule),
    "Slice": (rules.collapse_slice_rule, rules.collapse_slice2_rule),
    "Reshape": (rules.materialize_reshape_shape_rule, rules.reshape_reshape_rule),
    "Min": (rules.min_min_rule, rules.min_max_rule, rules.max_min_rule),
    "Max": (rules.max_max_rule,),
    "Relu": (rules.successive_relu_rule, rules.successive_clip_relu_rule, rules.successive_relu_clip_rule),
    "Clip": (rules.successive_clip_rule,),
    "Cast": (rules.cast_cast_rule, rules.no_op_cast_rule),
    "Expand": (rules.no_op_expand_rule,),
    "Flatten": (rules.flatten_to_reshape_rule,),
    "Transpose": (rules.no_op_transpose_rule, rules.transpose_transpose_rule),
    "Unsqueeze": (rules.unsqueeze_unsqueeze_rule,),
    "Squeeze": (rules.squeeze_reshape_1d_rule,),
    "ScatterND": (rules.no_op_dynamic_scatter_nd_rule, rules.no_op_static_scatter_nd_rule),
    "Pad": (rules.normalize_pad_format_conv_rule, rules.fuse_pad_into_conv_rule),
    "Conv": (rules.remove_optional_bias_from_conv_rule,),
    "ConvTranspose": (rules.remove_optional_bias_from_conv_transpose_rule,),
    "Gemm": (rules.remove_optional_bias_from_gemm_rule,),
}
"""By an operator without which they are of no use: a sweep asks every node for every rule."""

_ROUNDS = 2
"""What one round leaves behind, another may merge."""


@as_pass()
def simplify(model: onnx_ir.Model) -> bool:
    """Makes the graph smaller in place, so that it computes the same; whether it did."""
    rounds = [
        _FoldConstants(),
        _Rewrite(),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
    ]
    everything = Sequential(
        passes.InlinePass(),
        PassManager(rounds, steps=_ROUNDS, early_stop=True),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.LiftSubgraphInitializersToMainGraphPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    )
    return bool(everything(model).modified)


class _FoldConstants(InPlacePass):
    """onnxscript's folding, which infers shapes on the way."""

    def call(self, model: onnx_ir.Model) -> PassResult:
        """Folds; says whether anything changed."""
        return PassResult(model, modified=bool(fold_constants_ir(model, onnx_shape_inference=True).modified))


class _Rewrite(InPlacePass):
    """The rules for the operators that there are."""

    def call(self, model: onnx_ir.Model) -> PassResult:
        """Rewrites; says whether anything changed."""
        present = {node.op_type for node in model.graph.all_nodes()}
        chosen = [rule for operator, those in _RULES.items() if operator in present for rule in those]
        return RewritePass(chosen)(model) if chosen else PassResult(model, modified=False)
