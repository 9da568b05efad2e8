"""Which artifacts are code, and who says that they may be loaded.

ONNX is data: numbers and operators. Loading TorchScript or a ``.pt2`` runs what is in it, as a script would.
"""

from __future__ import annotations

from pathlib import Path

from fgcompile.artifact.file import suffix_format
from fgcompile.artifact.names import SUFFIXES
from fgcompile.errors import ArtifactError

CODE = ("torchscript", "pt2", "exported")
"""The formats whose artifacts are programs of their maker's."""


def require_trust(path: str | Path, format: str, trust: bool | None = None) -> None:
    """Passes an artifact that is data, or code by the word of whoever named it.

    Args:
        path: The artifact's name as the caller gave it. That a suffix of artifacts fits is checked when it is read.
        format: The artifact's.
        trust: Whether code may be loaded; None leaves it to the suffix: whoever writes ``.pt2`` asks for code.

    Raises:
        ArtifactError: It is code, and nobody asked for that.
    """
    if format not in CODE or trust:
        return
    if trust is not None:
        raise ArtifactError(f"{path}: is {format}, which is code, and trust is False: compile to ONNX, which is data")
    if suffix_format(path) is None:
        raise ArtifactError(
            f"{path}: is {format}, code that loading runs, and its name does not say so: "
            f"end it in {SUFFIXES[format]}, or give trust=True, if you trust whoever made it"
        )
