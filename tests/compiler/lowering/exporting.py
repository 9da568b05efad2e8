"""Runs the lowered backward of an operator case in ONNX Runtime."""

from __future__ import annotations

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn

from fgcompile.compiler.ir.runner import run_passes, tidy
from fgcompile.compiler.passes.optimize.drop_unused_constants import drop_unused_constants
from fgcompile.compiler.passes.optimize.fold_constants import fold_constants
from fgcompile.compiler.passes.optimize.replace_mutations import replace_mutations
from tests.compiler.lowering.tracing import make_backward, make_cotangent, relative_error, trace
from tests.support.operator_cases import OperatorCase

FORBIDDEN_OPERATORS = {"ConstantOfShape", "GatherND", "MaxUnpool", "OneHot", "ScatterElements", "ScatterND", "Sign"}
"""ONNX operators that some runtime lacks or is slow at."""


class _Backward(nn.Module):
    """The traced graph, with the case's weights as buffers, as a function of the inputs and the cotangent."""

    def __init__(self, case: OperatorCase) -> None:
        super().__init__()
        self.graph_module = trace(case, torch.float32).graph_module
        placeholders = self.graph_module.graph.find_nodes(op="placeholder")[len(case.inputs) : -1]
        for node, value in zip(placeholders, case.make_constants(torch.float32), strict=True):
            self.graph_module.register_buffer(f"weight_{node.name}", value)
            with self.graph_module.graph.inserting_before(node):
                node.replace_all_uses_with(self.graph_module.graph.get_attr(f"weight_{node.name}"))
            self.graph_module.graph.erase_node(node)
        tidy(self.graph_module)
        run_passes(self.graph_module, [replace_mutations, fold_constants, drop_unused_constants])

    def forward(self, *arguments: Tensor) -> tuple[Tensor, ...]:
        result: tuple[Tensor, ...] = self.graph_module(*arguments)
        return result


def assert_exports(case: OperatorCase, tolerance: float = 1e-5) -> None:
    """The backward becomes standard ONNX operators with a dynamic batch, and agrees with autograd in float32."""
    inputs = case.make_inputs(3, torch.float32)
    arguments = (*inputs, make_cotangent(case, inputs))
    batch = torch.export.Dim("batch")
    exported = torch.onnx.export(
        _Backward(case).eval(),
        arguments,
        dynamo=True,
        opset_version=20,
        dynamic_shapes=(tuple({0: batch} for _ in arguments),),
        verbose=False,
    )
    model = exported.model_proto
    assert not model.functions
    assert not {node.op_type for node in model.graph.node} & FORBIDDEN_OPERATORS
    assert {node.domain for node in model.graph.node} <= {"", "ai.onnx"}

    inputs = case.make_inputs(2, torch.float32, seed=5)
    cotangent = make_cotangent(case, inputs)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {spec.name: value.numpy() for spec, value in zip(model.graph.input, (*inputs, cotangent), strict=True)}
    actual = session.run(None, {spec.name: feeds[spec.name] for spec in session.get_inputs()})
    expected = make_backward(case)(*inputs, *case.make_constants(torch.float32), cotangent)
    for gradient, reference in zip(actual, expected, strict=True):
        assert relative_error(torch.from_numpy(np.asarray(gradient)), reference) <= tolerance
