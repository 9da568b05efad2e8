"""Exported programs in PyTorch: run by a session, or as a module among others, on any device."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

from fgcompile.artifact.metadata import BATCH, Metadata, batch_axis, fixed_batch
from fgcompile.artifact.names import TARGET
from fgcompile.artifact.signature import PROGRAM_SIGNATURE
from fgcompile.artifact.validation import Array
from fgcompile.errors import ArtifactError, InputError, MissingPackageError, first_line
from fgcompile.runtime.checked import require_signature
from fgcompile.runtime.defaults import read_defaults
from fgcompile.runtime.session import Provider

try:
    import torch
except ImportError as error:
    raise MissingPackageError("exported programs need torch: pip install torch, or compile to ONNX") from error

from torch import Tensor, fx, nn

from fgcompile.runtime.tensors import as_tensor
from fgcompile.runtime.torch_device import TorchDevice, choose_device, use_threads

_DEVICES = ("cpu", "cuda", "cuda:N")


class ExplainingModule(nn.Module):
    """An artifact as a module: called with its inputs, it returns its outputs, both in order.

    Inputs may be given by name. Left out, ``target`` is the predicted class of each sample (−1), and bias parameters
    have their trained values. It has no parameters: weights are buffers, which move with ``to``.
    """

    def __init__(self, program: fx.GraphModule, metadata: Metadata, defaults: Mapping[str, Array]) -> None:
        super().__init__()
        self.metadata = metadata
        self._program = program
        self._names = tuple(spec["name"] for spec in metadata["inputs"])
        target = (spec["shape"][1:] for spec in metadata["inputs"] if spec["name"] == TARGET)
        self._target = [int(size) for size in next(target, []) if isinstance(size, int)]
        self._defaults = {name: f"default_{index}" for index, name in enumerate(defaults)}
        for name, value in defaults.items():
            self.register_buffer(self._defaults[name], as_tensor(value))
        self.training = False

    def forward(self, *inputs: Tensor, **named: Tensor) -> tuple[Tensor, ...]:
        """The artifact's outputs.

        Raises:
            InputError: An input is missing, unknown or given twice.
        """
        given = dict(zip(self._names, inputs, strict=False))
        twice, unknown = given.keys() & named.keys(), named.keys() - set(self._names)
        if twice or unknown or len(inputs) > len(self._names):
            wrong = ", ".join(sorted(twice | unknown)) or f"input {len(self._names) + 1}"
            raise InputError(f"{wrong} is given twice, or is no input: the inputs are {', '.join(self._names)}")
        given |= named
        self._require_batch(given)
        found: tuple[Tensor, ...] = tuple(self._program(*(self._value(name, given) for name in self._names)))
        return found

    def _require_batch(self, given: Mapping[str, Tensor]) -> None:
        """Refuses another number of samples than the graph is for, in which it is a number."""
        batch = fixed_batch(self.metadata)
        for spec in self.metadata["inputs"] if batch is not None else ():
            value, axis = given.get(spec["name"]), batch_axis(spec)
            if value is None or BATCH not in spec["shape"] or value.ndim <= axis or value.shape[axis] == batch:
                continue
            raise InputError(
                f"'{spec['name']}' has a batch of {value.shape[axis]}, and this artifact was compiled for a batch of "
                f"{batch}: give {batch} a call, or use fgcompile.load, which makes several calls of more"
            )

    def _value(self, name: str, given: Mapping[str, Tensor]) -> Tensor:
        if name in given:
            return given[name]
        if name in self._defaults:
            return self.get_buffer(self._defaults[name])
        # Of several targets the largest are found by the logits, which are not known here.
        if name != TARGET or "targets" in self.metadata or not given:
            raise InputError(f"input '{name}' is missing: the inputs are {', '.join(self._names)}")
        first = next(iter(given.values()))
        return torch.full((len(first), *self._target), -1, dtype=torch.int64, device=first.device)

    def train(self, mode: bool = True) -> ExplainingModule:
        """The module itself: what was compiled has one mode, without dropout or statistics to keep."""
        return self

    def _apply(self, fn: Any, recurse: bool = True) -> ExplainingModule:
        """Moves what is made while computing along with the buffers."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        device = next((buffer.device for buffer in self.buffers()), None)
        for node in self._program.graph.nodes:
            if device is not None and "device" in node.kwargs:
                node.kwargs = {**node.kwargs, "device": device}
        self._program.recompile()
        return self


class ExportedBackend:
    """An exported program, on the CPU or a CUDA device; ``threads`` is a setting of the whole process."""

    def __init__(
        self, content: bytes, metadata: Metadata, providers: Sequence[Provider] | None, threads: int | None
    ) -> None:
        self._device = TorchDevice("cpu")
        if providers is not None:
            self._device = choose_device(providers, "an exported program", _DEVICES)
        use_threads(threads)
        self._module = read_module(content, metadata).to(self._device.name)
        self._outputs = [spec["name"] for spec in metadata["outputs"]]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The artifact's outputs by name."""
        given = {name: as_tensor(value).to(self._device.name) for name, value in feeds.items()}
        with torch.inference_mode(), self._device.launching():
            outputs = self._module(**given)
        return {name: output.cpu().numpy() for name, output in zip(self._outputs, outputs, strict=True)}


def read_module(content: bytes, metadata: Metadata) -> ExplainingModule:
    """The module of an artifact's checked bytes.

    Raises:
        ArtifactError: This PyTorch cannot load it, or it is another program than the metadata describe.
    """
    try:
        program = torch.export.load(io.BytesIO(content))
    except Exception as error:  # what a serialised graph can be wrong in has no class in common
        raise ArtifactError(
            f"torch {torch.__version__} cannot load the exported program ({first_line(error)}): compile it again"
        ) from error
    require_signature(program.graph_module.meta.get("custom", {}).get(PROGRAM_SIGNATURE), metadata)
    module: Any = program.module()
    return ExplainingModule(module, metadata, read_defaults(content, metadata))
