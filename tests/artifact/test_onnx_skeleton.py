"""A model without its weights is the model, once onnx has read them from where it says that they lie."""

from __future__ import annotations

from itertools import permutations
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


@pytest.mark.parametrize("order", list(permutations(("dims", "data_type", "raw_data", "data_location")))[::5])
def test_a_tensor_may_say_where_its_data_are_in_any_order(order: tuple[str, ...], tmp_path: Path) -> None:
    tensor = numpy_helper.from_array(LARGE)
    tensor.data_location = TensorProto.DEFAULT  # as it is anyway, and as some writers write
    content = b""
    for field in order:  # messages that are joined are merged
        part = TensorProto()
        if field == "dims":
            part.dims.extend(tensor.dims)
        else:
            setattr(part, field, getattr(tensor, field))
        content += part.SerializeToString()
    assert TensorProto.FromString(content) == tensor
    node = onnx.NodeProto(op_type="Constant", output=["y"])
    attribute = b"\x0a\x05value\x2a" + _varint(len(content)) + content + b"\xa0\x01\x04"
    graph = onnx.GraphProto(node=[node]).SerializeToString()
    assert graph.endswith(node.SerializeToString())
    whole = node.SerializeToString() + b"\x2a" + _varint(len(attribute)) + attribute
    model = b"\x3a" + _varint(len(whole) + 1 + len(_varint(len(whole)))) + b"\x0a" + _varint(len(whole)) + whole
    (tmp_path / "model.onnx").write_bytes(model)
    read = onnx.ModelProto.FromString(without_weights(model, "model.onnx"))
    external_data_helper.load_external_data_for_model(read, str(tmp_path))
    np.testing.assert_array_equal(numpy_helper.to_array(read.graph.node[0].attribute[0].t), LARGE)


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 0x80 else bytes([value & 0x7F | 0x80]) + _varint(value >> 7)


@pytest.mark.parametrize("end", [5000, -1])
def test_a_truncated_one_is_refused(end: int, tmp_path: Path) -> None:
    written(tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="neither a zip archive nor a protobuf message"):
        without_weights((tmp_path / "model.onnx").read_bytes()[:end], "model.onnx")


def tensors(proto: onnx.ModelProto) -> list[TensorProto]:
    attributes = [attribute for node in proto.graph.node for attribute in node.attribute]
    inner = [each for attribute in attributes for each in attribute.g.initializer]
    return [*proto.graph.initializer, *(each.t for each in attributes if each.HasField("t")), *inner]
