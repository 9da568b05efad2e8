"""A translated graph made small: constants folded, operators that undo or repeat each other merged.

onnxscript's own optimiser, less what artifacts have no use for. Its rule that makes one ``Split`` of two ``Slice``
compares each node with all others, and took most of the time that a Vision Transformer's export took. Its rules for
dropout, batch normalisation and quantised operators find none, and its fusions need later opsets.
"""

from __future__ import annotations

import onnx_ir
from onnx_ir.passes import InPlacePass, PassManager, PassResult, Sequential
from onnx_ir.passes import common as passes
from onnxscript.optimizer import fold_constants_ir
from onnxscript.rewriter import RewritePass
from onnxscript.rewriter.rules import common as rules

_RULES = (
    rules.mul_by_1_rule,
    rules.add_0_rule,
    rules.sub_0_rule,
    rules.div_by_1_rule,
    rules.two_reshapes_matmul_reshape_rule,
    rules.one_reshape_matmul_reshape_rule,
    rules.cast_constant_of_shape_rule,
    rules.cast_constant_of_shape_without_value_rule,
    rules.collapse_slice_rule,
    rules.collapse_slice2_rule,
    rules.materialize_reshape_shape_rule,
    rules.min_min_rule,
    rules.max_max_rule,
    rules.min_max_rule,
    rules.max_min_rule,
    rules.successive_clip_relu_rule,
    rules.successive_relu_clip_rule,
    rules.successive_relu_rule,
    rules.successive_clip_rule,
    rules.cast_cast_rule,
    rules.no_op_cast_rule,
    rules.no_op_expand_rule,
    rules.flatten_to_reshape_rule,
    rules.reshape_reshape_rule,
    rules.no_op_transpose_rule,
    rules.transpose_transpose_rule,
    rules.unsqueeze_unsqueeze_rule,
    rules.squeeze_reshape_1d_rule,
    rules.no_op_dynamic_scatter_nd_rule,
    rules.no_op_static_scatter_nd_rule,
    rules.normalize_pad_format_conv_rule,
    rules.fuse_pad_into_conv_rule,
    rules.remove_optional_bias_from_conv_rule,
    rules.remove_optional_bias_from_conv_transpose_rule,
    rules.remove_optional_bias_from_gemm_rule,
)

_ROUNDS = 2
"""What one round leaves behind, another may merge."""


def simplify(model: onnx_ir.Model) -> None:
    """Makes the graph smaller in place; it computes the same."""
    rounds = [
        _FoldConstants(),
        RewritePass(_RULES),
        passes.RemoveUnusedNodesPass(),
        passes.RemoveUnusedFunctionsPass(),  # type: ignore[no-untyped-call]
        passes.RemoveUnusedOpsetsPass(),
    ]
    Sequential(
        passes.InlinePass(),
        PassManager(rounds, steps=_ROUNDS, early_stop=True),
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        passes.LiftSubgraphInitializersToMainGraphPass(),
        passes.DeduplicateInitializersPass(),
        passes.CommonSubexpressionEliminationPass(),
        passes.OutputFixPass(),
        passes.NameFixPass(),
    )(model)


class _FoldConstants(InPlacePass):
    """onnxscript's folding, which infers shapes on the way."""

    def call(self, model: onnx_ir.Model) -> PassResult:
        """Folds; says whether anything changed."""
        return PassResult(model, modified=bool(fold_constants_ir(model, onnx_shape_inference=True).modified))
