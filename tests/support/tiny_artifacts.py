"""Small artifacts made by hand, in both formats, with the contract's inputs, outputs, metadata and seal.

The model: ``logits = mean(x) W`` over the pixels, x (N, 3, 4, 4), W (3, 5); the map is ``Σ_c |W[c, target] x_c|``.
"""

import io
import warnings

import numpy as np
import onnx
import torch
from onnx import parser
from torch import Tensor, nn

from fgcompile.artifact.metadata import dumps
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.seal import seal_onnx, seal_zip

WEIGHT = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)

ONNX_TEXT = """
<ir_version: 10, opset_import: ["" : 18], producer_name: "fgcompile">
tiny (float[batch, 3, 4, 4] x, int64[batch] target) => (float[batch, 5] logits, float[batch, 1, 4, 4] saliency)
<int64[2] pixels = {2, 3}, int64[1] channels = {1}, int64 zero = {0}>
{
    mean = ReduceMean <keepdims = 0> (x, pixels)
    logits = MatMul (mean, weight)
    predicted = ArgMax <axis = 1, keepdims = 0> (logits)
    negative = Less (target, zero)
    chosen = Where (negative, predicted, target)
    columns = Transpose <perm = [1, 0]> (weight)
    rows = Gather (columns, chosen)
    scale = Unsqueeze (rows, pixels)
    terms = Mul (x, scale)
    magnitudes = Abs (terms)
    saliency = ReduceSum (magnitudes, channels)
}
"""


PHOTO_TEXT = ONNX_TEXT.replace("float[batch, 3, 4, 4] x", "uint8[batch, 16, 16, 3] photo").replace(
    "{\n",
    """{
    numbers = Cast <to = 1> (photo)
    x = Transpose <perm = [0, 3, 1, 2]> (numbers)
""",
    1,
)
"""The same model on raw photos of 16 by 16."""


class TinyModule(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("weight", torch.from_numpy(WEIGHT))

    def forward(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        logits = x.mean((2, 3)) @ self.weight
        chosen = torch.where(target < 0, logits.argmax(1), target)
        return logits, (x * self.weight.t()[chosen][:, :, None, None]).abs().sum(1, keepdim=True)


def tiny_metadata(format: str = "onnx", **changes: object) -> dict[str, object]:
    return {
        "schema": 1,
        "versions": {"fgcompile": "0.1.0", "torch": "2.13.0", "onnx": "1.23.2"},
        "model": {"name": "Tiny", "parameter_digest": f"sha256:{'0' * 64}"},
        "format": format,
        "inputs": [
            {"name": "x", "dtype": "float32", "shape": ["batch", 3, 4, 4]},
            {"name": "target", "dtype": "int64", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", 5]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, 4, 4]},
        ],
        "method": "fullgrad",
        "psi": "fullgrad",
        "rules": "taylor",
        "target": "input",
        "preprocess": None,
        "labels": ["tench", "Löwe", "猫", "a", "b"],
        "sites": [],
        "completeness": 1e-7,
    } | changes


def onnx_body(metadata: dict[str, object] | str | None = None) -> bytes:
    """The unsealed ONNX model; ``metadata`` may be a raw text."""
    model = parser.parse_model(ONNX_TEXT)
    model.graph.initializer.append(onnx.numpy_helper.from_array(WEIGHT, "weight"))
    text = metadata if isinstance(metadata, str) else dumps(metadata or tiny_metadata())
    model.metadata_props.add(key=METADATA_KEY, value=text)
    return model.SerializeToString(deterministic=True)


def photo_artifact(weight: np.ndarray = WEIGHT, **changes: object) -> bytes:
    """An artifact that takes photos."""
    model = parser.parse_model(PHOTO_TEXT)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "weight"))
    settings = {
        "inputs": [
            {"name": "photo", "dtype": "uint8", "shape": ["batch", 16, 16, 3]},
            {"name": "target", "dtype": "int64", "shape": ["batch"]},
        ],
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", 5]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", 1, 16, 16]},
        ],
        "preprocess": {"mean": [0.0] * 3, "std": [1.0] * 3},
    }
    model.metadata_props.add(key=METADATA_KEY, value=dumps(tiny_metadata(**settings | changes)))
    return seal_onnx(model.SerializeToString(deterministic=True))


def torchscript_body(metadata: dict[str, object] | str | None = None) -> bytes:
    """The unsealed TorchScript archive; ``metadata`` may be a raw text."""
    text = metadata if isinstance(metadata, str) else dumps(metadata or tiny_metadata("torchscript"))
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(TinyModule()), buffer, _extra_files={METADATA_FILE: text})
    return buffer.getvalue()


def onnx_artifact(metadata: dict[str, object] | str | None = None) -> bytes:
    return seal_onnx(onnx_body(metadata))


def torchscript_artifact(metadata: dict[str, object] | str | None = None) -> bytes:
    return seal_zip(torchscript_body(metadata))


def tiny_reference(x: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The tiny model's logits and map by NumPy, -1 in ``target`` meaning the predicted class."""
    logits = x.mean((2, 3)) @ WEIGHT
    chosen = np.where(target < 0, logits.argmax(1), target)
    return logits, np.abs(x * WEIGHT.T[chosen][:, :, None, None]).sum(1, keepdims=True)
