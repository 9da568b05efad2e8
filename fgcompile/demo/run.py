"""The demo: compile, verify, explain and measure a trained network, and show it all on one page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

import fgcompile
from fgcompile import Explanation, Session, load
from fgcompile.artifact.elements import class_score
from fgcompile.artifact.file import read_metadata
from fgcompile.artifact.names import SUFFIXES
from fgcompile.bench.timing import measure
from fgcompile.demo.eager_fullgrad import fullgrad_reference
from fgcompile.demo.networks import Network, load_efficientnet
from fgcompile.demo.page import Card, CompiledFile, Section, Timing, render_page
from fgcompile.demo.pictures import PHOTOS, Picture
from fgcompile.drawing.files import write_png
from fgcompile.drawing.panels import draw_panel
from fgcompile.drawing.waterfall import draw_waterfall, group_by_layer
from fgcompile.errors import VerificationError
from fgcompile.system.files import make_directory, write_atomically
from fgcompile.system.machine import cores, processor

Reporter = Callable[[str], None]

_NETWORKS = (load_efficientnet,)
_Format = Literal["onnx", "torchscript"]
_RUNTIMES: dict[_Format, str] = {"onnx": "ONNX Runtime", "torchscript": "TorchScript"}
_OUTPUTS = ("logits", "saliency", "contributions", "residual")
_VERIFIED_PHOTOS = 2
_ROUNDS = 15
_SECONDS_OF_ROUNDS = 15.0


def run_demo(directory: Path, report: Reporter) -> Path:
    """Runs the demo into ``directory`` and returns the page's path.

    Args:
        directory: Receives the artifacts, the photos, a folder of pictures for each network, and ``index.html``.
        report: Called with each step as it begins.

    Raises:
        OutputError: The directory cannot be written.
        VerificationError: An artifact does not compute what its model computes.
    """
    make_directory(directory)
    with _one_thread():
        sections = [_show_network(load_network(), directory, report) for load_network in _NETWORKS]
    _copy_photos(directory / "photos")
    index = directory / "index.html"
    write_atomically(index, render_page(sections, _describe_machine(), directory).encode())
    return index


def _copy_photos(folder: Path) -> None:
    """The photos, for commands to try."""
    make_directory(folder)
    for picture in PHOTOS:
        write_atomically(folder / picture.path.name, picture.path.read_bytes())


def _show_network(network: Network, directory: Path, report: Reporter) -> Section:
    photos = network.read_photos()
    files = [_compile(network, photos, artifact_format, directory, report) for artifact_format in _RUNTIMES]
    sessions = {
        runtime: load(directory / file.name, threads=1) for runtime, file in zip(_RUNTIMES.values(), files, strict=True)
    }
    report(f"{network.title}: explain {len(photos)} pictures")
    make_directory(directory / network.key)
    session = next(iter(sessions.values()))
    cards = [
        _explain(network, picture, photo, session, directory)
        for picture, photo in zip(network.pictures, photos, strict=True)
    ]
    report(f"{network.title}: measure latencies")
    return Section(network.title, network.origin, files, _measure(network, photos[:1], sessions), cards)


def _compile(
    network: Network, photos: NDArray[np.uint8], artifact_format: _Format, directory: Path, report: Reporter
) -> CompiledFile:
    path = directory / f"{network.key}{SUFFIXES[artifact_format]}"
    inputs = network.prepare(torch.from_numpy(photos[:_VERIFIED_PHOTOS]))
    report(f"{network.title}: compile for {_RUNTIMES[artifact_format]}")
    start = time.perf_counter()
    artifact = fgcompile.compile(
        network.model,
        inputs,
        format=artifact_format,
        outputs=_OUTPUTS,
        preprocess=fgcompile.Preprocess(mean=network.mean, std=network.std),
        labels=network.labels,
    )
    artifact.save(path)
    seconds = time.perf_counter() - start
    report(f"{network.title}: verify in {_RUNTIMES[artifact_format]}")
    verification = fgcompile.verify(path, network.model, photos[:_VERIFIED_PHOTOS])
    if not verification.passed:
        failed = ", ".join(check.name for check in verification.checks if not check.passed)
        raise VerificationError(f"{path} failed {failed}: see fgcompile verify; please report this")
    return CompiledFile(
        name=path.name,
        runtime=_RUNTIMES[artifact_format],
        size=path.stat().st_size,
        seconds=seconds,
        metadata=read_metadata(path),
        checks=len(verification.checks),
    )


def _explain(network: Network, picture: Picture, photo: NDArray[np.uint8], session: Session, directory: Path) -> Card:
    outputs = _first(session.explain(photo[np.newaxis]))
    logits, contributions, residual = outputs["logits"], outputs["contributions"], float(outputs["residual"])
    predicted = class_score(logits, int(outputs["target"]), network.labels)
    probability = float(torch.from_numpy(logits).softmax(0)[predicted.index])
    panel = f"{network.key}/{picture.path.stem}.png"
    waterfall = f"{network.key}/{picture.path.stem}.waterfall.png"
    detail = f"score {predicted.score:.2f} · {probability:.0%}"
    write_png(draw_panel(photo, outputs["saliency"][0], predicted.name, detail), directory / panel)
    bars = group_by_layer(contributions, session.metadata["sites"])
    write_png(draw_waterfall(bars, predicted.score, residual, transparent=True), directory / waterfall)
    return Card(
        panel=panel,
        waterfall=waterfall,
        name=predicted.name,
        truth=network.labels[picture.label],
        right=predicted.index == picture.label,
        logit=predicted.score,
        probability=probability,
        residual=residual,
        relative=_relative(residual, contributions),
    )


def _measure(network: Network, photo: NDArray[np.uint8], sessions: Mapping[str, Session]) -> list[Timing]:
    """Times batch 1 on one thread: eager forward, eager full-gradient with hooks, the artifact in each runtime."""
    x = network.prepare(torch.from_numpy(photo))
    forward = torch.no_grad()(network.model)
    target = forward(x).argmax(1)
    reference = fullgrad_reference(network.model, x, target)
    terms = [(reference.input_gradient * x).sum(), *((delta * bias).sum() for delta, bias in reference.terms.values())]
    contenders: dict[str, Callable[[], object]] = {
        "Eager PyTorch, forward only": lambda: forward(x),
        "Eager PyTorch, full-gradient with hooks": lambda: fullgrad_reference(network.model, x, target),
    }
    errors: list[float | None] = [None, float(reference.completeness_error / torch.stack(terms).abs().sum())]
    for runtime, session in sessions.items():
        contenders[f"fgcompile artifact in {runtime}"] = partial(session.explain, photo)
        outputs = _first(session.explain(photo))
        errors.append(_relative(float(outputs["residual"]), outputs["contributions"]))
    latencies = measure(contenders, rounds=_ROUNDS, budget=_SECONDS_OF_ROUNDS)
    return [Timing(name, latency, error) for (name, latency), error in zip(latencies.items(), errors, strict=True)]


@contextmanager
def _one_thread() -> Iterator[None]:
    """PyTorch on one thread, as the sessions are: the contenders are alike, and other programs disturb them less."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _first(explanation: Explanation) -> dict[str, NDArray[Any]]:
    """The explanation of the first sample, all of whose parts the demo's artifacts compute."""
    names = ("logits", "saliency", "target", "contributions", "residual")
    return {name: np.asarray(getattr(explanation, name))[0] for name in names}


def _relative(residual: float, contributions: NDArray[Any]) -> float:
    return abs(residual) / float(np.abs(contributions).sum())


def _describe_machine() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("torch", "onnxruntime"))
    return f"{processor()}, {cores()} cores; {packages}"
