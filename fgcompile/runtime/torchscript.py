"""TorchScript artifacts in libtorch, on the CPU or a CUDA device."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.pickles import check_pickles
from fgcompile.artifact.signature import PROGRAM_SIGNATURE
from fgcompile.artifact.validation import Array
from fgcompile.artifact.zip_container import UNREADABLE
from fgcompile.errors import ArtifactError, MissingPackageError, first_line
from fgcompile.runtime.checked import require_signature
from fgcompile.runtime.session import Provider

try:
    import torch
except ImportError as error:
    raise MissingPackageError("TorchScript artifacts need torch: pip install torch, or compile to ONNX") from error

from fgcompile.runtime.tensors import as_tensor
from fgcompile.runtime.torch_device import TorchDevice, choose_device, use_threads

_DEVICES = ("cpu", "cuda", "cuda:N")


class TorchScriptBackend:
    """A ``torch.jit.ScriptModule`` that takes the artifact's inputs and returns its outputs, both in order.

    ``threads`` is a setting of the whole process (``torch.set_num_threads``).
    """

    def __init__(
        self, content: bytes, metadata: Metadata, providers: Sequence[Provider] | None, threads: int | None
    ) -> None:
        self._device = TorchDevice("cpu")
        if providers is not None:
            self._device = choose_device(providers, "a TorchScript artifact", _DEVICES)
        use_threads(threads)
        self._module = _load(content, self._device.name)
        require_signature(getattr(self._module, PROGRAM_SIGNATURE, None), metadata)
        self._inputs = [spec["name"] for spec in metadata["inputs"]]
        self._outputs = [spec["name"] for spec in metadata["outputs"]]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name."""
        given = [as_tensor(feeds[name]).to(self._device.name) if name in feeds else None for name in self._inputs]
        with torch.inference_mode(), self._device.launching():
            outputs = self._module(*given)
        if isinstance(outputs, torch.Tensor):
            outputs = (outputs,)
        return {name: output.cpu().numpy() for name, output in zip(self._outputs, outputs, strict=True)}


def _load(content: bytes, device: str) -> torch.jit.ScriptModule:
    try:
        check_pickles(content)
        module: torch.jit.ScriptModule = torch.jit.load(io.BytesIO(content), map_location=device)  # type: ignore[no-untyped-call]
    except UNREADABLE as error:
        raise ArtifactError(
            f"torch {torch.__version__} cannot load the artifact ({first_line(error)}): upgrade it"
        ) from error
    return module
