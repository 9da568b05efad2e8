"""A trained network in ``fgcompile serve``, and requests with real photos to send it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import tritonclient.grpc as grpc
import tritonclient.http as http
from tritonclient.utils import np_to_triton_dtype

import fgcompile
from benchmarks.harness.processes import HOST, free_port, running
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.samples import load_photo_network
from fgcompile.artifact.validation import Array

PACKAGES = ("tritonclient", "grpcio", "uvicorn", "starlette", "onnxruntime", "numpy", "torch")

PREDICTED_ONE = np.array([[-1]], np.int64)
"""The target of one photo, as (N, 1), which every server takes."""


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
    network = load_photo_network()
    photos = network.read_photos()
    if raw:
        return compile_for_photos(network, folder / "lite0_raw.onnx"), photos
    path, x = folder / "lite0.onnx", network.prepare(torch.from_numpy(photos))
    fgcompile.compile(network.model, x[:2]).save(path)
    return path, x.numpy()


@contextmanager
def serving(path: Path, log: Path, *options: str, ports: tuple[int, int] | None = None) -> Iterator[Server]:
    """``fgcompile serve`` of an artifact, on ports of this machine alone, free ones unless given."""
    port, grpc_port = ports or (free_port(), free_port())
    command = [sys.executable, "-m", "fgcompile", "serve", str(path), *options]
    arguments = [*command, "--port", str(port), "--grpc-port", str(grpc_port)]
    clients = [http.InferenceServerClient(f"{HOST}:{port}"), grpc.InferenceServerClient(f"{HOST}:{grpc_port}")]
    with running(arguments, lambda: all(client.is_model_ready(path.stem) for client in clients), log) as process:
        for client in clients:  # a server that stops waits a while for connections that are kept open
            client.close()
        yield Server(process.pid, path.stem, f"{HOST}:{port}", f"{HOST}:{grpc_port}")


def as_inputs(protocol: Any, x: Array, target: Array) -> list[Any]:
    """A request's tensors for ``tritonclient``'s module of a protocol, as bytes."""
    tensors = []
    for name, value in (("x", x), ("target", target)):
        tensor = protocol.InferInput(name, value.shape, np_to_triton_dtype(value.dtype))
        tensor.set_data_from_numpy(value)
        tensors.append(tensor)
    return tensors


def find_workers(server: int) -> list[psutil.Process]:
    """The processes that serve: those that the server's own process started."""
    return [child for child in psutil.Process(server).children() if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return any("spawn_main" in word for word in process.cmdline())
    except psutil.Error:  # it ended meanwhile
        return False
