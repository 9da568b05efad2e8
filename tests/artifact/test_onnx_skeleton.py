"""A model without its weights is the model, once onnx has read them from where it says that they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, external_data_helper, helper, numpy_helper

from fgcompile.artifact.onnx_skeleton import SMALLEST, without_weights

LARGE, SMALL = np.arange(1000, dtype=np.float32), np.arange(3, dtype=np.int64)


def written(path: Path) -> onnx.ModelProto:
    """A model whose tensors are initializers, attributes, in a branch, and of fields that are no bytes."""
    branch = helper.make_graph([], "b", [], [onnx.ValueInfoProto(name="v")], [numpy_helper.from_array(LARGE * 2, "v")])
    nodes = [
        helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(LARGE.astype(np.float64))),
        helper.make_node("If", ["x"], ["y"], then_branch=branch, else_branch=branch),
    ]
    initializers = [
        numpy_helper.from_array(LARGE, "large"),
        numpy_helper.from_array(SMALL, "small"),
        helper.make_tensor("numbers", TensorProto.FLOAT, LARGE.shape, LARGE.tolist()),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.BOOL, [])]
    graph = helper.make_graph(nodes, "g", inputs, [onnx.ValueInfoProto(name="y")], initializers)
    proto = helper.make_model(graph)
    proto.metadata_props.add(key="text", value="é" * SMALLEST)
    onnx.save(proto, path)
    return proto


def test_it_is_the_model_without_its_large_tensors(tmp_path: Path) -> None:
    path = tmp_path / "módel.onnx"
    proto = written(path)
    content = path.read_bytes()
    skeleton = without_weights(content, path.name)
    assert len(skeleton) < len(content) - 3 * LARGE.nbytes
    read = onnx.ModelProto.FromString(skeleton)
    places = [tensor for tensor in tensors(read) if external_data_helper.uses_external_data(tensor)]
    assert len(places) == 4
    external_data_helper.load_external_data_for_model(read, str(tmp_path))
    for tensor in tensors(read):
        tensor.ClearField("data_location")
    assert read == proto


@pytest.mark.parametrize("end", [5000, -1])
def test_a_truncated_one_is_refused(end: int, tmp_path: Path) -> None:
    written(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="neither a zip archive nor a protobuf message"):
        without_weights((tmp_path / "model.onnx").read_bytes()[:end], "model.onnx")


def tensors(proto: onnx.ModelProto) -> list[TensorProto]:
    attributes = [attribute for node in proto.graph.node for attribute in node.attribute]
    inner = [each for attribute in attributes for each in attribute.g.initializer]
    return [*proto.graph.initializer, *(each.t for each in attributes if each.HasField("t")), *inner]
