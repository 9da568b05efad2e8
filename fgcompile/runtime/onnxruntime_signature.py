"""The tensors of an ONNX graph against an artifact's metadata: names, dtypes, ranks, and sizes that both know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnxruntime  # type: ignore[import-untyped]  # ships no types

from fgcompile.artifact.metadata import Metadata, TensorSpec
from fgcompile.errors import ArtifactError

_TYPES = {
    **{name: name for name in ("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")},
    "float16": "float16",
    "float": "float32",
    "double": "float64",
}
"""ONNX Runtime's names of element types, and NumPy's."""


def require_same_tensors(session: onnxruntime.InferenceSession, metadata: Metadata) -> None:
    """Passes a graph that takes and returns what the metadata say.

    Raises:
        ArtifactError: It has no tensor of a name, or another dtype or shape for it; or it takes one more input.
    """
    inputs = {node.name: node for node in session.get_inputs()}
    optional = {node.name: node for node in session.get_overridable_initializers()}
    _compare("input", inputs | optional, metadata["inputs"])
    _compare("output", {node.name: node for node in session.get_outputs()}, metadata["outputs"])
    if more := inputs.keys() - {spec["name"] for spec in metadata["inputs"]}:
        raise ArtifactError(f"the artifact's graph takes {min(more)!r}, which its metadata lack: compile it again")


def _compare(kind: str, nodes: Mapping[str, Any], specs: Sequence[TensorSpec]) -> None:
    for spec in specs:
        node, name = nodes.get(spec["name"]), spec["name"]
        if node is None:
            raise ArtifactError(f"the artifact's graph has no {kind} {name!r}: compile it again")
        dtype = _TYPES.get(node.type.removeprefix("tensor(").removesuffix(")"))
        if dtype != spec["dtype"] or not _fits(node.shape, spec["shape"]):
            raise ArtifactError(
                f"the artifact's graph has {kind} {name} as {node.type} {node.shape}, "
                f"its metadata say {spec['dtype']} {spec['shape']}: compile it again"
            )


def _fits(found: Sequence[object], said: Sequence[object]) -> bool:
    """Whether ranks are equal, and the sizes that both know."""
    pairs = zip(found, said, strict=False)
    return len(found) == len(said) and not any(
        isinstance(one, int) and isinstance(other, int) and one != other for one, other in pairs
    )
