"""fgcompile: one graph that returns a model's prediction and its exact FullGrad explanation.

The public names are imported on first use, so that serving an ONNX artifact needs neither torch nor onnx.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from fgcompile._version import __version__

if TYPE_CHECKING:
    from fgcompile.artifact.fitting import Fit
    from fgcompile.compiler.compiled import Artifact
    from fgcompile.compiler.fullgrad.eager import FullGradientTerms
    from fgcompile.compiler.pipeline import compile, expose_biases, full_gradient
    from fgcompile.compiler.request import Noise, Preprocess
    from fgcompile.compiler.verify import verify
    from fgcompile.errors import RulesWarning
    from fgcompile.media.photos import read_photos
    from fgcompile.runtime import Explanation, Session, load

__all__ = [
    "Artifact",
    "Explanation",
    "Fit",
    "FullGradientTerms",
    "Noise",
    "Preprocess",
    "RulesWarning",
    "Session",
    "__version__",
    "compile",
    "expose_biases",
    "full_gradient",
    "load",
    "read_photos",
    "verify",
]

_HOMES = {
    "Artifact": "fgcompile.compiler.compiled",
    "Explanation": "fgcompile.runtime",
    "Fit": "fgcompile.artifact.fitting",
    "FullGradientTerms": "fgcompile.compiler.fullgrad.eager",
    "Noise": "fgcompile.compiler.request",
    "Preprocess": "fgcompile.compiler.request",
    "RulesWarning": "fgcompile.errors",
    "Session": "fgcompile.runtime",
    "compile": "fgcompile.compiler.pipeline",
    "expose_biases": "fgcompile.compiler.pipeline",
    "full_gradient": "fgcompile.compiler.pipeline",
    "load": "fgcompile.runtime",
    "read_photos": "fgcompile.media.photos",
    "verify": "fgcompile.compiler.verify",
}


_MODULES = ("errors", "scores")
"""What is public in modules of its own."""


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"fgcompile.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'fgcompile' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted((*__all__, *_MODULES))
