"""What the server says of itself."""

from __future__ import annotations

from typing import Any

from fgcompile._version import __version__


def describe_server(control: bool) -> dict[str, Any]:
    """Its metadata; ``control`` says whether clients may load and unload models."""
    extensions = ["binary_tensor_data"] + ["model_repository_extension"] * control
    return {"name": "fgcompile", "version": __version__, "extensions": extensions}
