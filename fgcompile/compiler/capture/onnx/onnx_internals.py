"""The private names of onnx_ir that reading a file needs."""

from __future__ import annotations

from collections.abc import Callable

import onnx
import onnx_ir as ir
from onnx_ir.passes.common._c_api_utils import call_onnx_api

_SMALL = 1000


def call_with_small_tensors(convert: Callable[[onnx.ModelProto], onnx.ModelProto], model: ir.Model) -> ir.Model:
    """What a function of ``onnx`` makes of a model, run without the model's large tensors, which are put back."""
    tensors = {str(name): value.const_value for name, value in model.graph.initializers.items()}
    inputs = {value.name for value in model.graph.inputs}
    converted = ir.from_proto(call_onnx_api(convert, model))
    graph = converted.graph
    left = [value for value in graph.inputs if value.name in inputs or value.name not in tensors]
    added = [value for value in graph.inputs if value.name not in inputs and value.name in tensors]
    graph.inputs.clear()
    graph.inputs.extend(left)
    for value in added:
        if value.const_value is None:
            value.const_value = tensors[str(value.name)]
            graph.register_initializer(value)
    return converted
