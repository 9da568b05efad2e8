"""Two networks as files of floats and of 8 bits, and the photos that these were calibrated on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.harness.once import once
from benchmarks.networks.architectures import build_network
from benchmarks.networks.samples import load_photo_network
from fgcompile.demo.networks import Network

Array = NDArray[np.float32]

CALIBRATION = 10
"""Photos that ranges are found on; the others are measured."""

NAMES = {"resnet18": "ResNet-18, random weights", "efficientnet_lite0": "EfficientNet-Lite0, trained"}
"""What the networks are called in the table."""


@dataclass(frozen=True)
class Subject:
    """A network's two files.

    Attributes:
        name: Of ``NAMES``.
        float_file: As ``torch.onnx.export`` writes it, its batch dynamic.
        int8_file: The same in 8 bits, as ``onnxruntime.quantization.quantize_static`` writes it.
        photos: Those that it was not calibrated on, uint8 ``(N, H, W, C)``.
        network: What makes inputs of photos.
    """

    name: str
    float_file: Path
    int8_file: Path
    photos: NDArray[np.uint8]
    network: Network

    @property
    def x(self) -> Array:
        """The photos as the files take them, ``(N, C, H, W)``."""
        prepared: Array = self.network.prepare(torch.from_numpy(self.photos)).numpy()
        return prepared


def make_subject(name: str, folder: Path) -> Subject:
    """A network exported and quantised, unless the folder has its files.

    In pairs of operators, weights by channel, and ranges of activations as they are of photos.
    """
    network = load_photo_network(0)  # its photos and how they are normalised serve both
    photos = network.read_photos()
    x = network.prepare(torch.from_numpy(photos[:CALIBRATION]))
    exported = once(folder / f"{name}.onnx", lambda path: _export(name, network, x, path))
    quantised = once(folder / f"{name}.int8.onnx", lambda path: _quantise(exported, x.numpy(), path))
    return Subject(name, exported, quantised, photos[CALIBRATION:], network)


def _export(name: str, network: Network, x: Tensor, path: Path) -> None:
    torch.onnx.export(
        network.model if name == "efficientnet_lite0" else build_network(name),
        (x[:2],),
        path,
        dynamo=True,
        external_data=False,  # the quantiser works in a folder of its own
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        input_names=["x"],
        output_names=["logits"],
        verbose=False,
    )


def _quantise(source: Path, x: Array, path: Path) -> None:
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Photos(CalibrationDataReader):  # type: ignore[misc]  # onnxruntime has no types
        def __init__(self) -> None:
            self.left: Iterator[dict[str, Array]] = iter([{"x": one[None]} for one in x])

        def get_next(self) -> dict[str, Array] | None:
            return next(self.left, None)

    prepared = source.with_suffix(".prepared.onnx")
    # The BatchNorms go into the convolutions: what the quantiser's own documentation asks for first.
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    quantize_static(prepared, path, Photos(), quant_format=QuantFormat.QDQ, per_channel=True)
