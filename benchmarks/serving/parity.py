"""The same photos through every way of serving, beside the session in Python: how far apart are logits and maps?

    python -m benchmarks.serving.parity [--pictures N]

EfficientNet-Lite0 in the formats, the 20 photos of foolbox, each explained for its predicted class. Writes
``results/serving_parity.md``. Needs the extras ``cpu``, ``demo``, ``openvino``, ``ray`` and ``serve`` and the group
``test``. What else a way needs and is not there is named in the table: Triton (`make triton`), Chromium, Node.js
(`make node`), cmake.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import tritonclient.grpc as grpc
import tritonclient.http as http
from PIL import Image
from rich.console import Console

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.samples import load_photo_network
from benchmarks.serving import chromium, cpp, node, triton_server
from benchmarks.serving.javascript import AGREEMENT, Record, agreement
from benchmarks.serving.served import PREDICTED_ONE, as_inputs, serving
from fgcompile.artifact.names import SUFFIXES
from fgcompile.artifact.validation import Array
from fgcompile.serving.triton import Deployment, write_models

PACKAGES = ("torch", "onnxruntime", "openvino", "uvicorn", "grpcio", "tritonclient", "ray")

MODEL = "lite0"
HEADER = ["way", *AGREEMENT[2:]]
LEGEND = """\
Differences from the session in Python of the ONNX artifact, on the same pixels: the largest of a logit, relative to the
photo's largest; the largest within a map, relative to its maximum, of which the median and the largest over the
photos. 0 means the same bits. Other runtimes round differently, and where rounding flips a choice of an activation the
map moves by more ([parity](parity.md)). A row of Ray Data holds one logit, that of the explained class.

The page and the program of Node.js read the photos, scaled to size beforehand, themselves: the session gets the pixels
that they read."""

Way = Callable[[], Sequence[Record]]


def _record(x: Array, logits: Any, saliency: Any) -> Record:
    return {"pixels": x, "logits": np.ravel(logits), "saliency": np.ravel(saliency)}


def by_session(path: Path, photos: Array, providers: list[str] | None = None) -> list[Record]:
    """A session, of any runtime."""
    session = fgcompile.load(path, providers=providers, threads=1)
    explained = [session.explain(photo[np.newaxis]) for photo in photos]
    return [_record(photo, each.logits, each.saliency) for photo, each in zip(photos, explained, strict=True)]


def by_client(client: Any, protocol: Any, photos: Array) -> list[Record]:
    """Triton's client for a protocol; the target is (N, 1), as Triton wants it."""
    records = []
    for photo in photos:
        answer = client.infer(MODEL, as_inputs(protocol, photo[np.newaxis], PREDICTED_ONE))
        records.append(_record(photo, answer.as_numpy("logits"), answer.as_numpy("saliency")))
    return records


def by_server(path: Path, folder: Path, protocol: Any, photos: Array) -> list[Record]:
    """``fgcompile serve``."""
    with serving(path, folder / "log", "--threads", "1") as server:
        address = server.rest if protocol is http else server.grpc
        return by_client(protocol.InferenceServerClient(address), protocol, photos)


def by_triton(path: Path, folder: Path, protocol: Any, photos: Array) -> list[Record]:
    """``fgcompile triton --backend python``."""
    write_models([path], folder / "models", Deployment(python=True))
    with triton_server.triton(folder, folder / "models", MODEL) as clients:
        return by_client(clients[protocol], protocol, photos)


def by_ray(path: Path, folder: Path, files: list[Path], photos: Array) -> list[Record]:
    """``fgcompile batch``, one photo a call; its rows have the score of the explained class, not all logits."""
    command = [sys.executable, "-m", "fgcompile", "batch", path, files[0].parent, "-o", folder / "out", "--batch", "1"]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    rows = {Path(row["path"]).name: row for row in pq.read_table(folder / "out" / "results").to_pylist()}
    session = fgcompile.load(path, threads=1)
    records = []
    for file, photo in zip(files, photos, strict=True):
        row = rows[file.name]
        logits = session.predict(photo[np.newaxis])[0]
        logits[row["predicted"]] = row["score"]
        records.append(_record(photo, logits, row["saliency"]))
    return records


def by_page(path: Path, folder: Path, files: list[Path]) -> list[Record]:
    """The page of ``fgcompile page`` in headless Chromium."""
    with chromium.open_page(folder, path) as page:
        records = []
        for file in files:
            page.do("choose", file=file)
            records.append(page.do("numbers"))
        return records


def by_cpp(programs: Path, path: Path, folder: Path, photos: Array) -> list[Record]:
    """``examples/cpp``."""
    if not programs.exists():
        cpp.build(programs)
    records = []
    for photo in photos:
        cpp.write_photo(photo, folder)
        _, logits, saliency = cpp.explain(programs, path, folder)
        records.append(_record(photo, logits, saliency))
    return records


def ways(
    paths: dict[str, Path], photos: Array, files: list[Path], folder: Path
) -> Iterator[tuple[str, str | None, Way]]:
    """Each way's name, what it lacks here, and how to go it."""

    def place(name: str) -> Path:
        (folder / name).mkdir()
        return folder / name

    onnx = paths["onnx"]
    yield "session again", None, partial(by_session, onnx, photos)
    yield "OpenVINO", None, partial(by_session, onnx, photos, ["OpenVINO"])
    yield "TorchScript", None, partial(by_session, paths["torchscript"], photos)
    yield "AOTInductor", None, partial(by_session, paths["pt2"], photos)
    yield "serve, gRPC", None, partial(by_server, onnx, place("grpc"), grpc, photos)
    yield "serve, REST", None, partial(by_server, onnx, place("rest"), http, photos)
    lacking = triton_server.missing()
    yield "Triton, gRPC", lacking, partial(by_triton, onnx, place("triton_grpc"), grpc, photos)
    yield "Triton, REST", lacking, partial(by_triton, onnx, place("triton_rest"), http, photos)
    yield "Ray Data", None, partial(by_ray, onnx, place("ray"), files, photos)
    yield "Chromium, WebAssembly", chromium.missing(), partial(by_page, onnx, place("page"), files)
    yield "Node.js", node.missing(), partial(node.explain, onnx, files)
    lacking = cpp.missing()
    programs = folder / "programs"
    yield "C++, TorchScript", lacking, partial(by_cpp, programs, paths["torchscript"], place("cpp_pt"), photos)
    yield "C++, AOTInductor", lacking, partial(by_cpp, programs, paths["pt2"], place("cpp_pt2"), photos)


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.parity", description=__doc__)
    parser.add_argument("--pictures", type=int, help="how many photos, all 20 by default")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    network = load_photo_network()
    photos = network.read_photos(options.pictures)
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "photos").mkdir()
        files = [folder / "photos" / f"{picture.path.stem}.png" for picture in network.pictures[: len(photos)]]
        for photo, file in zip(photos, files, strict=True):
            Image.fromarray(photo).save(file)
        paths = {
            artifact_format: compile_for_photos(network, folder / f"{MODEL}{suffix}", artifact_format)
            for artifact_format, suffix in SUFFIXES.items()
        }
        session = fgcompile.load(paths["onnx"], threads=1)
        for way, lacking, go in ways(paths, photos, files, folder):
            console.print(f"{way}{f': {lacking}' if lacking else ''}")
            cells = [lacking, *[""] * (len(HEADER) - 2)] if lacking else agreement(session, go())
            rows.append([way, *cells])
    stated = facts("benchmarks.serving.parity", PACKAGES)
    body = f"{markdown_table(HEADER, rows)}\n\n{LEGEND}"
    publish("serving_parity", "The same photos, served in every way", stated, body)
    return 0


if __name__ == "__main__":
    sys.exit(main())
