"""Which runtime opens an artifact: by its format, or by a provider that stands for a runtime of its own.

A backend is a class in a module of its own and one row in ``RUNTIMES``, or in ``PROVIDER_RUNTIMES`` where a provider
chooses it; it is imported when an artifact needs it.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.questions import shown
from fgcompile.artifact.validation import Array
from fgcompile.errors import ArtifactError, InputError
from fgcompile.runtime.source import Provider

RUNTIMES: Mapping[str, str] = {
    "onnx": "fgcompile.runtime.onnxruntime:OnnxRuntimeBackend",
    "torchscript": "fgcompile.runtime.torchscript:TorchScriptBackend",
    "pt2": "fgcompile.runtime.aotinductor:AotInductorBackend",
    "exported": "fgcompile.runtime.exported:ExportedBackend",
}
"""Where the backend of each artifact format is found, as ``module:class``."""

PROVIDER_RUNTIMES: Mapping[tuple[str, str], str] = {
    ("onnx", "OpenVINO"): "fgcompile.runtime.openvino.backend:OpenVinoBackend",
}
"""Other backends of a format, by the provider that chooses them."""


class Backend(Protocol):
    """A loaded artifact in one runtime."""

    def __init__(
        self,
        content: bytes,
        metadata: Metadata,
        providers: Sequence[Provider] | None,
        threads: int | None,
        folder: Path | None = None,
    ) -> None:
        """Loads an artifact's checked bytes.

        ``providers`` and ``threads`` are as in ``load``; in the ``folder`` lie weights that are not in the bytes, which
        only those of ONNX have.
        """

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name, in its order; ``feeds`` holds each input by name."""


def backend_class(format: str, providers: Sequence[Provider] | None, name: str) -> type[Backend]:
    """The runtime that opens an artifact of a format; ``name`` is for messages.

    Raises:
        ArtifactError: There is none.
    """
    # A provider may stand for a runtime of its own (OpenVINO); else the format's runtime reads what there are.
    if format not in RUNTIMES:
        raise ArtifactError(f"{name}: no runtime here for format {format!r}: compile to one of {', '.join(RUNTIMES)}")
    own = {(of, provider.lower()): location for (of, provider), location in PROVIDER_RUNTIMES.items()}
    chosen = (own.get((format, provider_name(each).lower())) for each in providers or ())
    location = next(filter(None, chosen), RUNTIMES[format])
    backend: type[Backend] = pkgutil.resolve_name(location)
    return backend


def provider_name(provider: Provider) -> str:
    """The name of a provider that may have options."""
    return provider if isinstance(provider, str) else provider[0]


def check_options(providers: Sequence[Provider] | None, threads: int | None) -> None:
    """Passes options of ``load`` that can be.

    Raises:
        InputError: They cannot.
    """
    if threads is not None and (not isinstance(threads, int) or isinstance(threads, bool) or threads < 1):
        raise InputError(f"threads is {shown(threads)}: give 1 or more, or None to let the runtime decide")
    if isinstance(providers, str):
        raise InputError(f"providers is {providers!r}: pass a list of them, [{providers!r}]")
    if providers is not None and not isinstance(providers, list | tuple):
        raise InputError(f"providers is {shown(providers)}: pass a list of them, as ['CPUExecutionProvider']")
    for provider in providers or ():
        pair = isinstance(provider, tuple | list) and len(provider) == 2 and isinstance(provider[0], str)
        if not isinstance(provider, str) and not pair:
            raise InputError(
                f"provider {shown(provider)} is neither a name nor a name and its options, (name, options)"
            )
