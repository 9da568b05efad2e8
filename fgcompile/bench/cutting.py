"""Cuts the forward pass out of an artifact: the part of its graph that the logits need, for the same runtime.

A cutter is a function of an artifact's bytes in a module of its own and one row in ``CUTTERS``.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import LOGITS

CUTTERS: Mapping[str, str] = {
    "onnx": "fgcompile.bench.onnx_forward:cut_onnx",
    "torchscript": "fgcompile.bench.torchscript_forward:cut_torchscript",
    "pt2": "fgcompile.bench.pt2_forward:cut_pt2",
}
"""Where the cutter of each artifact format is found, as ``module:function``. A format without one has no ratio."""

Cutter = Callable[[bytes, Metadata], tuple[bytes, list[str]]]
"""From an artifact to the unsealed graph of its logits, and the names of the inputs that this still takes."""


@dataclass(frozen=True)
class Forward:
    """The forward pass of an artifact, ready for ``open_session``.

    Attributes:
        content: The graph's bytes, unsealed.
        metadata: The artifact's, with the inputs and the output that are left.
    """

    content: bytes
    metadata: Metadata


def obstacle(metadata: Metadata) -> str | None:
    """Why the forward pass cannot be cut out of an artifact; None where it can."""
    if metadata["format"] not in CUTTERS:
        return f"the forward pass cannot be cut out of a {metadata['format']} artifact"
    if metadata["format"] == "pt2" and not metadata.get("on_demand"):
        return "the forward pass cannot be cut out of compiled code: compile with on_demand=True"
    if all(spec["name"] != LOGITS for spec in metadata["outputs"]):
        return "the artifact does not return its logits"
    if metadata["format"] == "onnx" and find_spec("onnx_ir") is None:
        return "the forward pass is cut out with onnx-ir: pip install 'fgcompile[compile]'"
    return None


def cut_forward(content: bytes, metadata: Metadata) -> Forward:
    """The forward pass of an artifact that has no ``obstacle``."""
    cut: Cutter = pkgutil.resolve_name(CUTTERS[metadata["format"]])
    forward, names = cut(content, metadata)
    kept = metadata.copy()
    kept["inputs"] = [spec for spec in metadata["inputs"] if spec["name"] in names]
    kept.pop("tokenizer", None)  # which stands beside the metadata, and went with them
    kept["outputs"] = [spec for spec in metadata["outputs"] if spec["name"] == LOGITS]
    return Forward(forward, kept)
