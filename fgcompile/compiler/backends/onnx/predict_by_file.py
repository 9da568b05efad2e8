"""The logits come from the nodes of the quantised file that was compiled; what explains them stays as it is.

    x ─ graph ─▶ logits, explanation    becomes    x ─ file ─▶ logits,   x ─ graph ─▶ logits.float, explanation

So a prediction on demand runs in integer kernels, whose pairs ONNX Runtime fuses only where nobody else reads what is
between them, and is to the bit what the file predicts. The predicted class is that of the file's logits
(``docs/decisions/quantised-predictions.md``).
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

from fgcompile.artifact.names import LOGITS, is_predicted

IN_FLOATS = ".float"
"""What is behind the names of what the graph that is explained computes of these."""


def predict_by_file(graph: onnx.GraphProto, file: onnx.GraphProto, inputs: Sequence[str]) -> None:
    """Puts the file's nodes in front of the graph's.

    Args:
        graph: That of the artifact, before it is divided.
        file: That of the file, which computes the logits, and then what else the graph returns as its model's.
        inputs: What the graph calls the file's inputs, in their order.
    """
    others = [value.name for value in graph.output if is_predicted(value.name) and value.name != LOGITS]
    predicted = {LOGITS, *others}
    for node in graph.node:
        node.output[:] = [f"{name}{IN_FLOATS}" if name in predicted else name for name in node.output]
        if node.op_type != "ArgMax":
            node.input[:] = [f"{name}{IN_FLOATS}" if name in predicted else name for name in node.input]
    given = dict(zip((value.name for value in file.input), inputs, strict=True))
    names: dict[str, str] = {
        "": "",
        **dict(zip((value.name for value in file.output), [LOGITS, *others], strict=True)),
        **given,
    }

    def renamed(name: str) -> str:
        return names.get(name, f"file.{name}")

    nodes = [onnx.NodeProto.FromString(node.SerializeToString()) for node in file.node]
    for node in nodes:
        node.name = f"file.{node.name}"
        node.input[:] = map(renamed, node.input)
        node.output[:] = map(renamed, node.output)
    constants = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in file.initializer]
    for tensor in constants:
        tensor.name = renamed(tensor.name)
    own = list(graph.node)
    del graph.node[:]
    graph.node.extend([*nodes, *own])
    graph.initializer.extend(constants)
