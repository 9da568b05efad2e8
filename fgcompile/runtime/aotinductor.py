"""AOTInductor packages in PyTorch, on the device that they were compiled for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fgcompile.artifact.metadata import Metadata, TensorSpec
from fgcompile.artifact.names import EXPLAIN, MODEL, PREDICT, is_predicted
from fgcompile.artifact.signature import PROGRAM_SIGNATURE
from fgcompile.artifact.validation import Array
from fgcompile.artifact.zip_container import compiled_models
from fgcompile.errors import ArtifactError, MissingPackageError, first_line
from fgcompile.runtime.checked import require_signature
from fgcompile.runtime.defaults import read_defaults
from fgcompile.runtime.session import Provider

try:
    import torch
except ImportError as error:
    raise MissingPackageError("AOTInductor packages need torch: pip install torch, or compile to ONNX") from error

from fgcompile.runtime.tensors import as_tensor
from fgcompile.runtime.torch_device import TorchDevice, choose_device, use_threads
from fgcompile.runtime.torch_internals import FOLDERS, load_models, load_unpacked, read_facts
from fgcompile.runtime.unpacked import unpacked
from fgcompile.system.allocation import keep_freed_memory
from fgcompile.system.leftovers import temporary_folder


class AotInductorBackend:
    """A compiled package, which takes the artifact's inputs and returns its outputs, both in order.

    ``threads`` is a setting of the whole process (``torch.set_num_threads``).
    """

    def __init__(
        self, content: bytes, metadata: Metadata, providers: Sequence[Provider] | None, threads: int | None
    ) -> None:
        device = metadata.get("device", "cpu")
        if device != "cpu" and not torch.cuda.is_available():
            raise ArtifactError(f"the artifact is compiled for {device}, which torch does not find here")
        self._device = TorchDevice(device)
        if providers is not None:
            self._device = choose_device(providers, f"an AOTInductor package compiled for {device}", [device])
        use_threads(threads)
        if device == "cpu":
            keep_freed_memory()  # the library allocates every intermediate tensor anew in each call
        self._models = _load(content)
        for model in self._models.values():
            require_signature(read_facts(model).get(PROGRAM_SIGNATURE), metadata)
        self._defaults = read_defaults(content, metadata)
        self._inputs = [spec["name"] for spec in metadata["inputs"]]
        self._outputs = metadata["outputs"]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name."""
        arrays = {**self._defaults, **feeds}
        # The library takes its inputs to be contiguous, and does not look.
        given = {name: as_tensor(arrays[name]).contiguous().to(self._device.name) for name in self._inputs}
        with torch.inference_mode(), self._device.launching():
            outputs = self._run_divided(given) if PREDICT in self._models else self._models[MODEL](*given.values())
        names = (spec["name"] for spec in self._outputs)
        return {name: output.cpu().numpy() for name, output in zip(names, outputs, strict=True)}

    def _run_divided(self, given: dict[str, torch.Tensor]) -> list[torch.Tensor]:
        """What the model returns, and the other outputs: explained, or empty where that is not asked for."""
        explain = given.pop(EXPLAIN, False)
        names = [spec["name"] for spec in self._outputs]
        own = [name for name in names if is_predicted(name)]
        results = self._models[PREDICT](*given.values())
        found, carried = dict(zip(own, results, strict=False)), results[len(own) :]
        others = [spec for spec in self._outputs if not is_predicted(spec["name"])]
        if explain:
            explained = self._models[EXPLAIN](*(value.contiguous() for value in carried), *given.values())
        else:
            explained = [_empty(spec) for spec in others]
        found |= {spec["name"]: value for spec, value in zip(others, explained, strict=True)}
        return [found[name] for name in names]


def _empty(spec: TensorSpec) -> torch.Tensor:
    sizes = [size if isinstance(size, int) else 0 for size in spec["shape"]]
    return torch.empty(sizes, dtype=getattr(torch, spec["dtype"]))


def _load(content: bytes) -> Mapping[str, Callable[..., Sequence[torch.Tensor]]]:
    """The package's models by name."""
    try:
        if FOLDERS:
            return load_unpacked(str(unpacked(content)), compiled_models(content))
        # An older PyTorch unpacks it into a folder of its own, which it removes with the models.
        with temporary_folder() as folder:
            path = Path(folder, "model.pt2")
            path.write_bytes(content)
            return load_models(str(path))
    except RuntimeError as error:
        raise ArtifactError(
            f"torch {torch.__version__} cannot load the package ({first_line(error)}): "
            "compile it again, on this machine"
        ) from error
