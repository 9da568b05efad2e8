"""What ``config.pbtxt`` says of an artifact: which backend runs it, its tensors, how it is batched and warmed up.

From Triton's model configuration (``model_config.proto`` and the pages on its backends).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fgcompile.artifact.metadata import BATCH, Metadata, TensorSpec, fixed_batch
from fgcompile.artifact.names import EXPLAIN, LOGITS
from fgcompile.artifact.validation import bias_specs
from fgcompile.errors import InputError
from fgcompile.serving.triton.textproto import Constant, Message

LABELS = "labels.txt"
"""The file of class names, beside the configuration."""

WARMED = "on"
"""The file that asks for an explanation in the warm-up, in the folder ``warmup``: zeros would not."""

_DTYPES = {
    "float32": "FP32",
    "float64": "FP64",
    "float16": "FP16",
    "uint8": "UINT8",
    "int32": "INT32",
    "int64": "INT64",
    "bool": "BOOL",
}
_KINDS = {"auto": "KIND_AUTO", "cpu": "KIND_CPU", "gpu": "KIND_GPU"}


@dataclass(frozen=True)
class Runtime:
    """How Triton runs the artifacts of a format.

    Attributes:
        backend: Triton's name for what runs it.
        file: The artifact's name in a version's folder.
        platform: Which of the backend's ways, where it has several.
        fixed_batch: Whether it takes batches of one sample only.
        numbered: Whether tensors are called by their position, ``INPUT__0``.
    """

    backend: str
    file: str
    platform: str | None = None
    fixed_batch: bool = False
    numbered: bool = False


RUNTIMES = {
    "onnx": Runtime("onnxruntime", "model.onnx"),
    "torchscript": Runtime("pytorch", "model.pt", platform="pytorch_libtorch"),
    "pt2": Runtime("pytorch", "model.pt2", platform="torch_aoti", fixed_batch=True, numbered=True),
}
"""By an artifact's format. ``torch_aoti`` does not batch yet (Triton 26.05)."""

PYTHON = Runtime("python", "model.onnx")
"""For servers without the backend of ONNX Runtime: ``model.py`` runs it."""


@dataclass(frozen=True)
class Deployment:
    """How artifacts are to be served.

    Attributes:
        python: Whether ``model.py`` runs ONNX artifacts, rather than Triton's own backend of ONNX Runtime.
        max_batch: The most samples of one call, to which Triton may put several requests together.
        max_delay: How long, in microseconds, a request may wait for others.
        instances: Copies of each model that run at the same time, on each device.
        device: Where: ``"cpu"``, ``"gpu"``, or ``"auto"``: on a graphics card where there is one.
        tensorrt: Whether ONNX Runtime leaves to TensorRT what that can run.
    """

    python: bool = False
    max_batch: int = 32
    max_delay: int = 0
    instances: int = 1
    device: str = "auto"
    tensorrt: bool = False

    def __post_init__(self) -> None:
        for name, value, least in (
            ("largest batch", self.max_batch, 1),
            ("number of instances", self.instances, 1),
            ("longest delay", self.max_delay, 0),
        ):
            if value < least:
                raise InputError(f"the {name} is {value}: give {least} or more")
        if self.device not in _KINDS:
            raise InputError(f"unknown device {self.device!r}: choose one of {', '.join(_KINDS)}")
        if self.tensorrt and (self.python or self.device == "cpu"):
            raise InputError("TensorRT needs Triton's own backend of ONNX Runtime, and a GPU: leave the others out")


def choose_runtime(metadata: Metadata, name: str, deployment: Deployment) -> Runtime:
    """What runs an artifact; ``name`` is for messages.

    Raises:
        InputError: Triton cannot run it, or not as it was asked to.
    """
    artifact_format = metadata["format"]
    if artifact_format not in RUNTIMES:
        raise InputError(f"{name}: Triton has no backend for the format {artifact_format!r}: compile it to another")
    if artifact_format != "onnx" and (deployment.python or deployment.tensorrt):
        wanted = "model.py" if deployment.python else "TensorRT"
        raise InputError(f"{name}: is {artifact_format}, {wanted} runs ONNX artifacts: compile it with --format onnx")
    if artifact_format == "pt2" and (metadata.get("on_demand") or bias_specs(metadata)):
        raise InputError(
            f"{name}: Triton runs a .pt2 of one model without optional inputs: compile it without on_demand and with "
            "biases='constants', or to ONNX"
        )
    return PYTHON if deployment.python else RUNTIMES[artifact_format]


def configure(metadata: Metadata, runtime: Runtime, deployment: Deployment) -> Message:
    """The model configuration of an artifact.

    With batching, shapes leave out the batch, and a tensor of shape (N,) is (N, 1) to clients: Triton wants one axis
    behind the batch.

    Args:
        metadata: The artifact's.
        runtime: What runs it.
        deployment: How it is served.

    Raises:
        InputError: A tensor has a dtype that Triton does not know.
    """
    # Optional inputs are left out: Triton fills no defaults in, and the runtime has them. Batching is Triton's only
    # where every tensor has the batch in front, so not on demand, whose ``explain`` has none.
    inputs = [spec for spec in metadata["inputs"] if not spec.get("optional")]
    outputs = metadata["outputs"]
    fixed = runtime.fixed_batch or ("batch" in metadata and runtime is not PYTHON)
    batched = _is_batched(metadata, inputs) and not fixed
    # As many samples as the program was compiled for, or one where Triton does not batch; ``model.py`` takes any,
    # a part after the other.
    samples = None if runtime is PYTHON else fixed_batch(metadata) or (1 if runtime.fixed_batch else None)
    tensors = _Tensors(batched, runtime, samples)
    labels = {"label_filename": LABELS} if metadata["labels"] else {}
    message: dict[str, object] = {"backend": runtime.backend}
    if runtime.platform is not None:
        message["platform"] = runtime.platform
    message |= {
        "max_batch_size": deployment.max_batch if batched else 0,
        "input": [tensors.describe(spec, "INPUT", index) for index, spec in enumerate(inputs)],
        "output": [
            tensors.describe(spec, "OUTPUT", index) | (labels if spec["name"] == LOGITS else {})
            for index, spec in enumerate(outputs)
        ],
        "instance_group": {"count": deployment.instances, "kind": Constant(_kind(metadata, deployment))},
    }
    if batched and runtime is not PYTHON:  # which runs one request after the other
        delay = {"max_queue_delay_microseconds": deployment.max_delay} if deployment.max_delay else {}
        message["dynamic_batching"] = delay
    if runtime is PYTHON:
        message["parameters"] = {"key": "max_batch", "value": {"string_value": str(deployment.max_batch)}}
    if deployment.tensorrt:
        message["optimization"] = {"execution_accelerators": {"gpu_execution_accelerator": {"name": "tensorrt"}}}
    message["model_warmup"] = {
        "name": "one sample",
        "batch_size": 1,
        "inputs": [tensors.sample(spec, index) for index, spec in enumerate(inputs)],
    }
    return message  # type: ignore[return-value]  # its values are messages, whichever of them there are


def _is_batched(metadata: Metadata, inputs: Sequence[TensorSpec]) -> bool:
    """Whether every tensor has the batch in front."""
    first = {spec["shape"][0] if spec["shape"] else None for spec in (*inputs, *metadata["outputs"])}
    return not metadata.get("on_demand") and len(first) == 1 and all(isinstance(size, str) for size in first)


def _kind(metadata: Metadata, deployment: Deployment) -> str:
    """Where the instances run; a package runs where it was compiled for."""
    device = metadata.get("device") if metadata["format"] == "pt2" else None
    return _KINDS[deployment.device] if device is None else _KINDS["cpu" if device == "cpu" else "gpu"]


@dataclass(frozen=True)
class _Tensors:
    """Describes tensors with or without the batch in front."""

    batched: bool
    runtime: Runtime
    samples: int | None

    def describe(self, spec: TensorSpec, kind: str, index: int) -> dict[str, object]:
        """A tensor's name, dtype and shape; a size of −1 is dynamic."""
        shape = [size if isinstance(size, int) else -1 for size in self._shape(spec)]
        described: dict[str, object] = {
            "name": self._name(spec, kind, index),
            "data_type": _dtype(spec),
            "dims": shape or [1],
        }
        return described if shape else described | {"reshape": {}}

    def sample(self, spec: TensorSpec, index: int) -> dict[str, object]:
        """What the warm-up sends for an input: zeros, and yes to whether to explain."""
        example = spec.get("example")
        shape = self._shape(spec)
        if example is not None:
            sizes_of_one = example[-len(shape) :]
            shape = [size if isinstance(size, int) else one for size, one in zip(shape, sizes_of_one, strict=True)]
        sizes = [size if isinstance(size, int) else 1 for size in shape]
        values = {"input_data_file": WARMED} if spec["name"] == EXPLAIN else {"zero_data": True}
        return {
            "key": self._name(spec, "INPUT", index),
            "value": {"data_type": _dtype(spec), "dims": sizes or [1], **values},
        }

    def _shape(self, spec: TensorSpec) -> list[int | str]:
        """The shape without the batch that Triton puts in front, or with the only batch that there is."""
        if self.batched:
            return spec["shape"][1:]
        return [self.samples if size == BATCH and self.samples is not None else size for size in spec["shape"]]

    def _name(self, spec: TensorSpec, kind: str, index: int) -> str:
        return f"{kind}__{index}" if self.runtime.numbered else spec["name"]


def _dtype(spec: TensorSpec) -> Constant:
    if spec["dtype"] not in _DTYPES:
        raise InputError(f"{spec['name']} is {spec['dtype']}, which Triton does not know: compile another artifact")
    return Constant(f"TYPE_{_DTYPES[spec['dtype']]}")
