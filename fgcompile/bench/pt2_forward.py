"""The logits of an AOTInductor package on demand: its model ``predict``. Of any other, nothing can be cut out."""

from __future__ import annotations

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import EXPLAIN


def cut_pt2(content: bytes, metadata: Metadata) -> tuple[bytes, list[str]]:
    """The package itself, and the inputs of ``predict``: without ``explain``, nothing else runs."""
    return content, [spec["name"] for spec in metadata["inputs"] if spec["name"] != EXPLAIN]
