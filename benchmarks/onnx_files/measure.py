"""One file: compiled by the command line, its predictions beside ONNX Runtime's, the sum of its terms in float64."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

import fgcompile
from benchmarks.harness.records import Figures
from benchmarks.onnx_files.targets import likeliest
from fgcompile.artifact.metadata import Metadata, TensorSpec, batch_axis
from fgcompile.compiler.capture.binding import by_name
from fgcompile.compiler.capture.bound import bind
from fgcompile.compiler.description import read_request
from fgcompile.compiler.expose.expose import expose
from fgcompile.compiler.frontend import capture_in
from fgcompile.compiler.fullgrad.eager import full_gradient_terms
from fgcompile.compiler.ir.batch_axes import to_front
from fgcompile.compiler.sources import open_model, read_model

BATCHES = (1, 2, 3)
SEED = 0
IDS = 2
"""Integers are below, where it is not known what they index: so many has every table."""

Array = NDArray[Any]


def measure(path: str, options: Sequence[str], limit: float) -> Figures:
    """Compiles a file and compares it.

    Args:
        path: The file.
        options: Flags of ``fgcompile compile``.
        limit: Seconds that compiling may take.

    Returns:
        ``seconds`` that compiling took, and either the ``reason`` why it did not, or: ``explained``, the tensor;
        ``logits``, the largest difference from ONNX Runtime's, relative to the largest of the tensor; ``own``, that of
        ONNX Runtime on the file from itself, all samples at once; ``residual``, that of score and terms in float64,
        relative to the score.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        artifact = Path(folder) / "artifact.onnx"
        start = time.perf_counter()
        reason = _compile(path, artifact, options, limit)
        figures: Figures = {"seconds": time.perf_counter() - start}
        if reason is not None:
            return {**figures, "reason": reason.replace(path, Path(path).name)}
        session = fgcompile.load(artifact, threads=1)
        metadata = fgcompile.artifact.read_metadata(artifact)
        feeds = made_up(metadata, BATCHES[-1])
        tensor = metadata["model"]["explained"].partition(", the logits that ")[0]
        expected = of_file(Path(path), tensor, feeds, metadata)
        apart = [_apart(_logits(session, metadata, feeds, count), expected[:count]) for count in BATCHES]
        figures |= {"explained": tensor, "logits": max(apart), "residual": residual(Path(path), metadata, feeds)}
        figures["own"] = _own(Path(path), tensor, feeds, metadata, expected)
    return figures


def _compile(path: str, artifact: Path, options: Sequence[str], limit: float) -> str | None:
    """Why the command failed, in the last line that it wrote, or None."""
    command = [sys.executable, "-W", "ignore", "-m", "fgcompile", "compile", path, "-o", str(artifact), *options]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return f"not compiled after {limit:.0f} s"
    lines = [line for line in done.stderr.strip().splitlines() if line]
    if done.returncode == 0:
        return None
    said = [line for line in lines if line.startswith("fgcompile: error: ")]
    # Anything else is a traceback, which users should never see.
    return said[-1].removeprefix("fgcompile: error: ") if said else f"traceback: {lines[-1] if lines else '?'}"


def made_up(metadata: Metadata, count: int) -> dict[str, Array]:
    """Seeded inputs of some samples, all of them different; a mask is false at its end."""
    random, made = np.random.default_rng(SEED), {}
    for spec in _model_inputs(metadata):
        sizes = spec.get("example", spec["shape"])
        shape = tuple(count if axis == batch_axis(spec) else int(size) for axis, size in enumerate(sizes))
        dtype = np.dtype(spec["dtype"])
        if dtype.kind == "f":
            made[spec["name"]] = random.standard_normal(shape).astype(dtype)
        elif dtype == np.bool_:
            made[spec["name"]] = np.arange(np.prod(shape)).reshape(shape) % shape[-1] < max(1, shape[-1] - 1)
        else:
            rows = [axis["size"] for axis in spec.get("indexes", []) if isinstance(axis["size"], int)]
            made[spec["name"]] = random.integers(min(rows, default=IDS), size=shape).astype(dtype)
    return made


def _model_inputs(metadata: Metadata) -> list[TensorSpec]:
    return [spec for spec in metadata["inputs"] if spec["name"] != "target"]


def of_file(path: Path, tensor: str, feeds: Mapping[str, Array], metadata: Metadata) -> list[Array]:
    """What ONNX Runtime makes a tensor of the file of each sample, one at a time; it need be no output of the file."""
    run = _file(path, tensor, feeds, metadata)
    axes = {spec["name"]: batch_axis(spec) for spec in _model_inputs(metadata)}
    count = next(iter(feeds.values())).shape[next(iter(axes.values()))]
    return [run({name: value.take([sample], axes[name]) for name, value in feeds.items()}) for sample in range(count)]


def _own(path: Path, tensor: str, feeds: Mapping[str, Array], metadata: Metadata, alone: Sequence[Array]) -> float:
    """How far ONNX Runtime is from itself on a file where it is given all samples at once; 0 where it takes one."""
    (logits,) = (spec for spec in metadata["outputs"] if spec["name"] == "logits")
    try:
        together = _file(path, tensor, feeds, metadata)(feeds)
        samples = [together.take(sample, batch_axis(logits)) for sample in range(len(alone))]
    except Exception:  # ONNX Runtime's exceptions have no base class of their own
        return 0.0
    own = _apart(samples, alone)
    return own if np.isfinite(own) else 0.0


def _file(
    path: Path, tensor: str, feeds: Mapping[str, Array], metadata: Metadata
) -> Callable[[Mapping[str, Array]], Array]:
    """ONNX Runtime on the file, which returns one tensor of it."""
    import onnxruntime

    model = onnx.load(path)
    if tensor not in {value.name for value in model.graph.output}:
        model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    others = {
        value.name: _unread(value, metadata["model"].get("fixed", {}))
        for value in session.get_inputs()
        if value.name not in feeds
    }
    return lambda given: np.asarray(session.run([tensor], {**given, **others})[0])


def _unread(value: Any, fixed: Mapping[str, float]) -> Array:
    """An input that is fixed, or that nothing explained is computed of: one sample of any numbers."""
    dtype = {"tensor(float)": "float32", "tensor(double)": "float64"}.get(value.type, value.type[7:-1])
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    return np.full(shape, fixed.get(value.name, 0), dtype)


def _logits(session: fgcompile.Session, metadata: Metadata, feeds: Mapping[str, Array], count: int) -> list[Array]:
    """The artifact's logits of the first samples, each on its own."""
    axes = {spec["name"]: batch_axis(spec) for spec in _model_inputs(metadata)}
    given = {name: value.take(range(count), axes[name]) for name, value in feeds.items()}
    for spec in metadata["inputs"]:
        if spec["name"] == "target":
            given["target"] = np.zeros([count, *spec["shape"][1:]], np.int64)
    (logits,) = (spec for spec in metadata["outputs"] if spec["name"] == "logits")
    found = session.run(given)["logits"]
    return [found.take(sample, batch_axis(logits)) for sample in range(count)]


def _apart(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """The largest difference, relative to the largest number; logits may be shaped as the output behind them."""
    ours, theirs = (np.stack([each.ravel() for each in many]).astype(np.float64) for many in (found, expected))
    if ours.shape != theirs.shape:
        return float("inf")
    return float(np.abs(ours - theirs).max() / max(np.abs(theirs).max(), np.finfo(np.float32).tiny))


def residual(path: Path, metadata: Metadata, feeds: Mapping[str, Array]) -> float:
    """``|f − Σ terms| / |f|`` of the captured file in float64, the largest over samples."""
    request = read_request(metadata, likeliest if metadata["target"] == "score" else None)
    tensors = [torch.from_numpy(value) for value in feeds.values()]
    read = read_model(path, request, metadata["model"].get("fixed"))
    opened = open_model(read, by_name(read, list(feeds), tensors), request)
    captured, request = capture_in(torch.float64, bind(opened.model, opened.inputs, request), request)
    exposed = expose(captured, request.layouts)
    fronted = [to_front(value, axis) for value, axis in zip(tensors, exposed.batch_axes, strict=True)]
    doubled = [value.double() if value.is_floating_point() else value for value in fronted]
    terms = full_gradient_terms(exposed, doubled, request.target, opened.output)
    size = terms.score.abs().clamp(min=torch.finfo(torch.float32).tiny)
    return float((terms.completeness_error / size).max())
