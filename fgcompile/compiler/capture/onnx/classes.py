"""How files of scikit-learn's classifiers end: a class, and a probability of each, which may be a mapping.

scores → ZipMap                              is  scores: a mapping by the classes' names
LinearClassifier(post_transform="SOFTMAX")   of  LinearClassifier(post_transform="NONE"), its logits
"""

from __future__ import annotations

import onnx_ir as ir

from fgcompile.compiler.capture.onnx.operators import ML

_OF_CLASSES = (ir.DataType.INT64, ir.DataType.INT32, ir.DataType.STRING, ir.DataType.BOOL)


def unmapped(value: ir.Value) -> ir.Value:
    """The table that a mapping is made of, of any other value itself."""
    node = value.producer()
    if node is not None and node.domain == ML and node.op_type == "ZipMap" and node.inputs[0] is not None:
        return node.inputs[0]
    return value


def names_classes(value: ir.Value) -> bool:
    """Whether a file says that a value is of whole numbers or texts, which have no gradient: classes, or tokens."""
    return isinstance(value.type, ir.TensorType) and value.dtype in _OF_CLASSES


def is_text(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.STRING


def class_names(graph: ir.Graph) -> tuple[str, ...] | None:
    """The classes' names, where an output is made of texts: a mapping's keys, a classifier's classes."""
    waiting, seen = list(graph.outputs), set[ir.Node]()
    while waiting:
        value = waiting.pop()
        found = value.const_value if value.dtype == ir.DataType.STRING else None
        if found is not None:
            return tuple(_text(each) for each in found.numpy().ravel())
        node = value.producer()
        if node is None or node in seen:
            continue
        seen.add(node)
        names = next(filter(None, map(node.attributes.get_strings, ("classlabels_strings", "value_strings"))), None)
        if names is not None:
            return tuple(names)
        if node.op_type in _NAMING:
            waiting.extend(each for each in node.inputs if each is not None)
    return None


_NAMING = ("ArrayFeatureExtractor", "Cast", "Flatten", "Gather", "Identity", "Reshape", "Squeeze")
"""Operators that pick names, or only shape them."""


def _text(name: object) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else str(name)


def linear_scores(value: ir.Value) -> ir.Node | None:
    """A linear classifier that makes the scores that one makes the probabilities of which a value is, or None.

    One score s of two classes becomes (−s, s), of which the sigmoid makes them.
    """
    node = value.producer()
    if node is None or (node.domain, node.op_type) != (ML, "LinearClassifier") or value is not node.outputs[1]:
        return None
    kind = node.attributes.get_string("post_transform", "NONE")
    attributes = dict(node.attributes)
    rows = len(attributes["intercepts"].as_floats()) if "intercepts" in attributes else 0
    if kind != "LOGISTIC" and (kind not in ("SOFTMAX", "SOFTMAX_ZERO") or rows < 2):
        return None
    if rows == 1:
        for name in ("coefficients", "intercepts"):
            weights = attributes[name].as_floats()
            attributes[name] = ir.AttrFloat32s(name, [*(-each for each in weights), *weights])
    attributes["post_transform"] = ir.AttrString("post_transform", "NONE")
    # Its first output, the class, is nobody's.
    made = ir.Node(
        node.domain, node.op_type, node.inputs, attributes.values(), num_outputs=2, name=f"{node.name}_logits"
    )
    made.outputs[0].name, made.outputs[1].name = f"{value.name}/class", f"{value.name}/logits"
    return made
