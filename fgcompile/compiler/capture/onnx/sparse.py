"""Sparse tensors of a file as dense ones, which all that reads a model takes.

values (n,), indices (n,) or (n, rank), dims  →  zeros of dims, with the values at the indices
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx

LARGEST = 2**31
"""Of how many numbers a tensor may be: a few bytes of a file may say any shape."""


def make_dense(proto: onnx.ModelProto, folder: Path) -> None:
    """Rewrites sparse initializers and constants of a model, its functions and all bodies in place.

    Args:
        proto: The model.
        folder: Where its weights lie, if beside it.

    Raises:
        ValueError: One has indices outside its shape, or is too large.
    """
    for graph in _graphs(proto.graph):
        graph.initializer.extend(_dense(sparse, folder) for sparse in graph.sparse_initializer)
        del graph.sparse_initializer[:]
    for node in nodes_of(proto):
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.SPARSE_TENSOR and node.op_type == "Constant":
                dense = _dense(attribute.sparse_tensor, folder)
                attribute.CopyFrom(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=dense))


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        yield from _bodies(node)


def _bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
            for body in (attribute.g, *attribute.graphs):
                yield from _graphs(body)


def nodes_of(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """All nodes of a model, its functions and all bodies."""
    for graph in _graphs(proto.graph):
        yield from graph.node
    for function in proto.functions:
        for node in function.node:
            yield node
            for body in _bodies(node):
                yield from body.node


def _dense(sparse: onnx.SparseTensorProto, folder: Path) -> onnx.TensorProto:
    name, shape = sparse.values.name, tuple(sparse.dims)
    if min(shape, default=0) < 0 or math.prod(shape) > LARGEST:
        raise ValueError(f"the sparse tensor '{name}' has the shape {shape}")
    values, indices = (onnx.numpy_helper.to_array(each, str(folder)) for each in (sparse.values, sparse.indices))
    flat = indices if indices.ndim == 1 else np.ravel_multi_index(tuple(indices.T), shape)
    if flat.size and not 0 <= flat.min() <= flat.max() < math.prod(shape):
        raise ValueError(f"the sparse tensor '{name}' has indices outside its shape {shape}")
    dense = np.zeros(shape, values.dtype)
    dense.reshape(-1)[flat] = values
    return onnx.numpy_helper.from_array(dense, name)
