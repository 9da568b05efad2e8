"""A trained network in ``fgcompile serve``, and requests with real photos to send it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import tritonclient.grpc as grpc
import tritonclient.http as http

import fgcompile
from benchmarks.processes import HOST, free_port, running
from fgcompile.demo.networks import load_efficientnet
from fgcompile.images import read_photo
from fgcompile.validation import Array

PACKAGES = ("kserve", "tritonclient", "grpcio", "uvicorn", "onnxruntime", "numpy", "torch")


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        pid: Its process.
        name: The model's.
        rest: Its address for REST.
        grpc: Its address for gRPC.
    """

    pid: int
    name: str
    rest: str
    grpc: str


def compile_lite0(folder: Path, raw: bool) -> tuple[Path, Array]:
    """EfficientNet-Lite0 as an artifact, and the 20 photos as it takes them.

    Args:
        folder: Where to write the artifact.
        raw: Whether it takes photos, uint8 (N, 224, 224, 3), rather than float32 (N, 3, 224, 224).
    """
    network = load_efficientnet()
    channels, height, width = network.input_shape
    photos = np.stack([read_photo(picture.path, (height, width, channels)) for picture in network.pictures])
    x = network.prepare(torch.from_numpy(photos))
    preprocess = fgcompile.Preprocess(mean=network.mean, std=network.std) if raw else None
    path = folder / ("lite0_raw.onnx" if raw else "lite0.onnx")
    fgcompile.compile(network.model, x[:2], preprocess=preprocess).save(path)
    return path, photos if raw else x.numpy()


@contextmanager
def serving(path: Path, log: Path, *options: str) -> Iterator[Server]:
    """``fgcompile serve`` of an artifact, on free ports of this machine alone."""
    port, grpc_port = free_port(), free_port()
    command = [sys.executable, "-m", "fgcompile", "serve", str(path), *options]
    client = grpc.InferenceServerClient(f"{HOST}:{grpc_port}")
    arguments = [*command, "--port", str(port), "--grpc-port", str(grpc_port)]
    with running(arguments, lambda: bool(client.is_model_ready(path.stem)), log) as process:
        yield Server(process.pid, path.stem, f"{HOST}:{port}", f"{HOST}:{grpc_port}")


def as_inputs(protocol: object, x: Array, target: Sequence[int]) -> list[object]:
    """A request's tensors for ``tritonclient``'s module of a protocol, as bytes."""
    tensors = []
    for name, value in (("x", x), ("target", np.array(target, np.int64))):
        datatype = {"uint8": "UINT8", "float32": "FP32", "int64": "INT64"}[value.dtype.name]
        tensor = (http if protocol is http else grpc).InferInput(name, value.shape, datatype)
        tensor.set_data_from_numpy(value)
        tensors.append(tensor)
    return tensors
