"""ONNX artifacts in ONNX Runtime; needs neither torch nor onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.validation import Array
from fgcompile.errors import ArtifactError, InputError, MissingPackageError, first_line
from fgcompile.runtime.runtimes import provider_name
from fgcompile.runtime.source import Provider
from fgcompile.system.text import visible

try:
    import onnxruntime  # type: ignore[import-untyped]  # ships no types
except ImportError as error:
    raise MissingPackageError(
        "ONNX artifacts need ONNX Runtime: pip install 'fgcompile[cpu]' or 'fgcompile[gpu]'"
    ) from error

from fgcompile.runtime.onnxruntime_binding import BoundSession
from fgcompile.runtime.onnxruntime_signature import require_same_tensors

_CUDA = "CUDAExecutionProvider"
_DEFAULT_PROVIDERS = (_CUDA, "CPUExecutionProvider")

_CUDA_OPTIONS = {"use_tf32": "0"}
"""ONNX Runtime rounds products to TF32's 10 bits unless told not to: whoever wants that says so."""


_FOLDER_OF_WEIGHTS = "session.model_external_initializers_file_folder_path"
"""ONNX Runtime's option for a model that comes as bytes: it maps the files there into memory, tensor by tensor."""


class OnnxRuntimeBackend:
    """An ``onnxruntime.InferenceSession``; ``run`` may be called from several threads.

    With the option ``enable_cuda_graph`` of the CUDA provider, calls are replays of captured graphs over memory that
    is bound once for every combination of shapes.
    """

    as_they_lie = False
    """Whether weights are read where they lie, mapped into memory: ONNX Runtime lays them out anew for its products,
    once for the forward pass and once for the gradient, which is a little faster and takes twice their memory."""

    def __init__(
        self,
        content: bytes,
        metadata: Metadata,
        providers: Sequence[Provider] | None,
        threads: int | None,
        folder: Path | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        # Fatal ones alone: it warns of every optional input, and what it says of errors, which are raised too, quotes
        # names from the artifact as they are.
        options.log_severity_level = 4
        # Without VNNI, x86 would add two products of 8 bits in 16, which clip.
        options.add_session_config_entry("session.x64quantprecision", "1")
        if folder is not None:
            options.add_session_config_entry(_FOLDER_OF_WEIGHTS, str(folder))
        if threads is not None:
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
        if self.as_they_lie:
            options.add_session_config_entry("session.disable_prepacking", "1")
            options.enable_cpu_mem_arena = False  # which would keep what the largest call took
        left_out = ["ConstantFolding"] if self.as_they_lie else []
        chosen = _choose_providers(providers)
        # A plan of memory is a second one, beside what the first call of a shape took: docs/decisions/memory-plans.md.
        options.enable_mem_pattern = any(provider_name(provider) == _CUDA for provider in chosen)
        try:
            self._session = onnxruntime.InferenceSession(
                content, options, providers=chosen, disabled_optimizers=left_out
            )
        except Exception as error:  # ONNX Runtime's exceptions have no base class of their own
            raise ArtifactError(
                f"ONNX Runtime {onnxruntime.__version__} cannot load the artifact ({first_line(error)}): "
                "upgrade it, or choose other providers"
            ) from error
        if providers is not None:
            _check_started(chosen, self._session.get_providers())
        require_same_tensors(self._session, metadata)
        self._outputs = [spec["name"] for spec in metadata["outputs"]]
        self._bound = BoundSession(self._session, self._outputs, "cuda") if _captures(chosen) else None

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name."""
        if self._bound is not None:
            return self._bound.run(feeds)
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))


class MappedBackend(OnnxRuntimeBackend):
    """For artifacts that are opened once, beside the model that they were made of."""

    as_they_lie = True


def _choose_providers(providers: Sequence[Provider] | None) -> list[Provider]:
    available = onnxruntime.get_available_providers()
    if providers is None:
        return [_with_defaults(name) for name in _DEFAULT_PROVIDERS if name in available]
    names = [provider_name(provider) for provider in providers]
    if unknown := [name for name in names if name not in available]:
        known = [*available, *(["OpenVINO"] if find_spec("openvino") is not None else [])]
        raise InputError(f"{_why_missing(unknown)}available here are {', '.join(known)}")
    return [_with_defaults(provider) for provider in providers]


def _why_missing(names: Sequence[str]) -> str:
    """Why there are no such providers, and what has the first that ONNX Runtime knows."""
    every = onnxruntime.get_all_providers()
    for name in names:
        missing = f"execution provider {name} is not in the ONNX Runtime that is installed"
        if name in (_CUDA, "TensorrtExecutionProvider"):
            return f"{missing}: pip install 'fgcompile[gpu]' in an environment without fgcompile[cpu]; "
        if name in every:
            own = ", or give OpenVINO, which fgcompile[openvino] brings" if name.startswith("OpenVINO") else ""
            return f"{missing}: install a build of it that has it{own}; "
    meant = next((name for name in every if name.lower().startswith(names[0].lower())), None)
    return f"unknown execution provider {', '.join(map(visible, names))}: {f'perhaps {meant}; ' if meant else ''}"


def _with_defaults(provider: Provider) -> Provider:
    """The provider with those of our options that are not given."""
    if provider_name(provider) != _CUDA:
        return provider
    given = {} if isinstance(provider, str) else provider[1]
    return _CUDA, {**_CUDA_OPTIONS, **given}


def _captures(providers: Sequence[Provider]) -> bool:
    """Whether the CUDA provider is asked to capture graphs."""
    options = [provider[1] for provider in providers if not isinstance(provider, str) and provider[0] == _CUDA]
    return any(str(given.get("enable_cuda_graph", 0)).lower() in ("1", "true") for given in options)


def _check_started(chosen: Sequence[Provider], started: Sequence[str]) -> None:
    """ONNX Runtime falls back to the CPU when a provider's libraries are missing; whoever named it wants to know."""
    if failed := [name for name in map(provider_name, chosen) if name not in started]:
        raise InputError(f"execution provider {', '.join(failed)} did not start: install its libraries or leave it out")
