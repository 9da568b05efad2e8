"""What is measured: a network at a batch size and a number of threads; and what is measured on it: a candidate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.harness.once import once
from benchmarks.networks.architectures import ARCHITECTURES, build_network
from benchmarks.networks.torchvision_shim import define_missing_operators
from benchmarks.networks.weights import sample_inputs
from fgcompile.artifact.names import SUFFIXES
from fgcompile.bench.timing import Call

__all__ = ["Call", "Candidate", "Workload"]

MODELS = (
    "resnet18",
    "resnet50",
    "vgg16_bn",
    "densenet121",
    "mobilenet_v2",
    "efficientnet_lite0",
    "convnext_tiny",
    "vit_b_16",
)
"""What is measured unless something else is asked for."""


@dataclass(frozen=True)
class Workload:
    """A network and how it is called.

    Attributes:
        model: Its key in ``ARCHITECTURES``.
        batch: Samples in a call.
        threads: Threads of every runtime.
        folder: Where files made of the network are kept, for one model and size.
        device: ``"cpu"`` or ``"cuda"``.
        size: Height and width of the input, None for the architecture's own.
        precision: ``"float32"``, ``"float16"`` or ``"bfloat16"``: of the plain network and of what the artifact
            computes in, whose inputs and outputs are float32 in any case; ``"tf32"`` is float32 whose products a
            graphics card may take with ten bits.
    """

    model: str
    batch: int
    threads: int
    folder: Path
    device: str = "cpu"
    size: int | None = None
    precision: str = "float32"

    def as_json(self) -> dict[str, Any]:
        """What another process makes the workload of."""
        return {**asdict(self), "folder": str(self.folder)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Workload:
        """The inverse of ``as_json``."""
        return cls(**{**values, "folder": Path(values["folder"])})

    @property
    def dtype(self) -> Any:
        """What it is called where TF32 is a setting of the runtime, and no dtype."""
        return "float32" if self.precision == "tf32" else self.precision

    def network(self) -> nn.Module:
        """The network in its precision on the device; a copy for each caller, since some rivals leave hooks on it."""
        path = once(self.folder / "network.pt", lambda new: torch.save(build_network(self.model), new))
        define_missing_operators()  # before torchvision is imported
        network: nn.Module = torch.load(path, weights_only=False)
        return network.to(self.device, getattr(torch, self.dtype))

    def inputs(self, batch: int | None = None) -> Tensor:
        """(batch, C, H, W) in the network's precision on the device; the workload's own batch if None."""
        channels, *own = ARCHITECTURES[self.model].input_shape
        size = own if self.size is None else (self.size, self.size)
        x = sample_inputs((channels, *size), batch or self.batch)
        return x.to(self.device, getattr(torch, self.dtype))

    def single(self) -> Workload:
        """The same in float32 on the CPU: what the compiler is given, for any device and precision."""
        return replace(self, device="cpu", precision="float32")

    def set_up(self) -> None:
        """Settings of the process, PyTorch's too, under which all candidates are prepared and called alike."""
        torch.set_num_threads(self.threads)
        if self.device == "cuda":
            torch.backends.cudnn.benchmark = True  # as ONNX Runtime does: the fastest algorithm for each convolution
            # Tracing keeps it in the graph.
            torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = self.precision == "tf32"

    def target(self) -> Tensor:
        """The explained classes, int64 (batch,): some or other, for latency does not depend on which."""
        return torch.arange(self.batch, device=self.device) % 10


def nothing(workload: Workload) -> None:
    """Prepares nothing."""


@dataclass(frozen=True)
class Candidate:
    """One way of computing a prediction or an explanation.

    Attributes:
        key: Its key in records, and on the command line.
        label: Its name in tables.
        runtime: The label of the runtime that it runs in.
        role: ``"forward"``, ``"fused"`` or ``"rival"``.
        load: Makes the call that is timed, after ``prepare``; raises whatever keeps it from working.
        prepare: Writes the files that ``load`` reads, unless they are there.
        note: What is to be known of its results on a network, e.g. that they are wrong; given the workload and the
            call.
        devices: Where it is measured.
        packages: What must be importable, by the names of the packages on PyPI and of the modules.
        format: The artifact format that the compiler must know.
    """

    key: str
    label: str
    runtime: str
    role: str
    load: Callable[[Workload], Call]
    prepare: Callable[[Workload], object] = nothing
    note: Callable[[Workload, Call], str] = lambda workload, call: ""
    devices: tuple[str, ...] = ("cpu", "cuda")
    packages: tuple[tuple[str, str], ...] = ()
    format: str | None = None

    def missing(self, device: str) -> str | None:
        """Why it cannot run here on a device at all, or None."""
        absent = [package for package, module in self.packages if find_spec(module) is None]
        if absent:
            return f"not installed: {', '.join(absent)}"
        if self.format is not None and self.format not in SUFFIXES:
            return f"this version of fgcompile has no format {self.format!r}"
        if device not in self.devices:
            return f"not measured on {device}"
        if device == "cuda" and not torch.cuda.is_available():
            return "no CUDA GPU here"
        return None
