"""ONNX: what scales and shifts each channel by constants is one BatchNormalization, of mean 0 and variance 1.

    y · s + b  →  BatchNormalization(y, s, b, 0, 1),   s and b: (C, 1, …)

A BatchNorm in front of its convolution, as in a DenseNet, is no part of another layer. As a product and a sum it leaves
ONNX Runtime's blocked layout, as a normalisation it stays there and takes the ReLU behind it along: 0.96 of the time of
a DenseNet-121 (``docs/decisions/channel-scales.md``).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx_ir

from fgcompile.compiler.ir.runner import as_pass


@as_pass(requires=("simplify",))
def scale_channels(model: onnx_ir.Model) -> bool:
    """Rewrites the graph in place; whether channels were scaled and shifted. Half precision stays as it is."""
    graph = model.graph
    found = list(_scaled(graph))
    for product, total, scale, shift in found:
        # Read here: where it came of such a sum itself, another node makes it by now.
        features = next(value for value in product.inputs if value is not scale)
        count = int(_array(scale).size)
        rows = [_constant(graph, f"{value.name}.row", _array(value).reshape(-1)) for value in (scale, shift)]
        rows += [_constant(graph, f"channels_{kind}_{count}", make(count, np.float32)) for kind, make in _STATISTICS]
        node = onnx_ir.node("BatchNormalization", [features, *rows], {"epsilon": 0.0})
        result, old = node.outputs[0], total.outputs[0]
        result.shape, result.type, name = old.shape, old.type, old.name
        graph.insert_before(total, node)
        onnx_ir.convenience.replace_all_uses_with(old, result)
        graph.remove([total, product], safe=True)
        result.name = name
        for value in (scale, shift):
            if not value.uses():
                graph.initializers.pop(str(value.name), None)
    return bool(found)


_STATISTICS = (("zeros", np.zeros), ("ones", np.ones))

_Match = tuple[onnx_ir.Node, onnx_ir.Node, onnx_ir.Value, onnx_ir.Value]


def _scaled(graph: onnx_ir.Graph) -> Iterator[_Match]:
    """Each product and sum, and what scales and shifts the features."""
    outputs = set(graph.outputs)
    for total in graph:
        for inner, shift in _operands(total, "Add"):
            product = inner.producer()
            if product is None or len(inner.uses()) != 1 or inner in outputs or total.outputs[0] in outputs:
                continue
            for features, scale in _operands(product, "Mul"):
                if _is_of_channels(scale, features) and _is_of_channels(shift, features):
                    yield product, total, scale, shift


def _operands(node: onnx_ir.Node, operator: str) -> Iterator[tuple[onnx_ir.Value, onnx_ir.Value]]:
    """The two operands of such a node, in the order in which the second is a constant."""
    if node.op_type == operator and not node.domain:
        first, second = node.inputs
        for value, constant in ((first, second), (second, first)):
            if value is not None and constant is not None and constant.is_initializer() and not value.is_initializer():
                yield value, constant


def _is_of_channels(constant: onnx_ir.Value, features: onnx_ir.Value) -> bool:
    """Whether a constant has a number for each channel of features ``(N, C, …)``, and lies along their second axis."""
    shape, tensor = features.shape, constant.const_value
    if shape is None or tensor is None or constant.is_graph_input() or tensor.dtype != onnx_ir.DataType.FLOAT:
        return False
    if len(shape) < 3 or not isinstance(shape[1], int) or features.dtype != onnx_ir.DataType.FLOAT:
        return False
    behind = [shape[1], *[1] * (len(shape) - 2)]
    return list(tensor.shape) in (behind, [1, *behind])


def _array(value: onnx_ir.Value) -> np.ndarray:
    assert value.const_value is not None
    return value.const_value.numpy()


def _constant(graph: onnx_ir.Graph, name: str, array: np.ndarray) -> onnx_ir.Value:
    """A constant of the graph by its name, which its readers share."""
    if name not in graph.initializers:
        tensor = onnx_ir.tensor(np.ascontiguousarray(array), name=name)
        graph.register_initializer(onnx_ir.Value(name=name, const_value=tensor))
    return graph.initializers[name]
