"""The logits of an ONNX artifact: the other outputs go, then the nodes, initialisers and inputs that nothing uses."""

from __future__ import annotations

import onnx
import onnx_ir
from onnx_ir.passes.common import RemoveUnusedNodesPass

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS


def cut_onnx(content: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """The graph of the output ``logits``, without metadata, and the inputs that it takes."""
    model = onnx_ir.from_proto(onnx.load_from_string(content))
    graph = model.graph
    graph.outputs[:] = [output for output in graph.outputs if output.name == LOGITS]
    RemoveUnusedNodesPass()(model)
    graph.inputs[:] = [value for value in graph.inputs if value.uses()]
    RemoveUnusedNodesPass()(model)  # the defaults of the inputs that went
    model.metadata_props.clear()
    return onnx_ir.to_proto(model).SerializeToString(), [str(value.name) for value in graph.inputs]
