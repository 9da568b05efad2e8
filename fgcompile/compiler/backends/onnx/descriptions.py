"""What viewers of ONNX files show of an artifact: words beside the metadata, which programs read.

Netron lists the entries of ``metadata_props``, the description of the model and those of its inputs and outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx

from fgcompile.artifact.names import (
    CONTRIBUTIONS,
    DYNAMIC,
    EXPLAIN,
    LOGITS,
    METADATA_KEY,
    RESIDUAL,
    TARGET,
    is_predicted,
)

_FLAT = ("target", "method", "rules", "psi", "precision")
_ENDS = {
    EXPLAIN: "whether to explain, or to return the model's outputs alone",
    LOGITS: "what the model returns",
    CONTRIBUTIONS: "the signed sum of each term: the input's, then the biases'",
    RESIDUAL: "the score minus the sum of its terms",
    "saliency": "what of the input the score rests on",
    "input_gradient": "the gradient of the score with respect to the input",
    "bias_gradients": "the gradient at a layer's bias times the bias, at each place",
}


def describe(model: onnx.ModelProto, metadata: Mapping[str, Any]) -> None:
    """Writes the descriptions into a model, in place."""
    name = metadata["model"]["name"]
    model.graph.name = name
    model.doc_string = (
        f"{name}: prediction and FullGrad explanation (arXiv:1905.00780) in one call, by fgcompile. "
        f"The key '{METADATA_KEY}' has all that is known of it, as JSON."
    )
    for key in _FLAT:
        if key in metadata:
            model.metadata_props.add(key=f"{METADATA_KEY}.{key}", value=str(metadata[key]))
    model.metadata_props.add(key=f"{METADATA_KEY}.completeness", value=f"{metadata['completeness']:.1e}")
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = _of(value.name, metadata)


def _of(name: str, metadata: Mapping[str, Any]) -> str:
    if name == TARGET:
        axes = ", ".join(axis["name"] for axis in metadata.get("target_axes", [])) or "class"
        count = metadata.get("targets")
        several = "" if count is None else ", any number at once" if count == DYNAMIC else f", {count} at once"
        return f"what to explain{several}: {axes}; -1 in the last place for the largest"
    found = _ENDS.get(name.partition(".")[0])
    if found is None:
        is_output = any(spec["name"] == name for spec in metadata["outputs"])
        found = "what the model returns beside" if is_output and is_predicted(name) else ""
    return found
