"""What compiling a network costs, stage by stage, beside exporting its forward pass."""

from __future__ import annotations

import resource
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import torch

import fgcompile
from benchmarks.harness.processes import processor_seconds
from benchmarks.latency.runtimes import export_onnx
from benchmarks.latency.workload import Workload

LIMIT = 3600.0
"""Seconds for compiling one network."""


def peak_memory() -> int:
    """The most bytes of memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def by_stage(begun: Sequence[tuple[str, float]], ended: float) -> dict[str, float]:
    """How long each stage took, of the moments in which they began and the last one ended."""
    ends = [*(moment for _, moment in begun[1:]), ended]
    return {stage: end - moment for (stage, moment), end in zip(begun, ends, strict=True)}


def measure_compiling(model: str, format: Literal["onnx", "pt2"]) -> dict[str, Any]:
    """Compiles a network twice on one thread; to be called in a fresh process.

    Returns:
        ``parameters``; ``seconds`` of the processor, checks and a compiler of C++ included, and by ``stages``, whose
        names are those that ``compile`` reports; ``again_seconds`` of the second time; ``peak_megabytes`` of resident
        memory up to the end of the first; ``megabytes`` of the artifact; ``forward_seconds`` and ``forward_megabytes``
        of ``torch.onnx.export`` of the plain model.
    """
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        workload = Workload(model, 1, 1, Path(folder))
        begun: list[tuple[str, float]] = []
        artifact = _compile(workload, format, lambda stage: begun.append((stage, processor_seconds())))
        ended = processor_seconds()
        peak, size = peak_memory(), len(artifact.content)
        del artifact
        start = processor_seconds()
        _compile(workload, format, lambda stage: None)
        again = processor_seconds() - start
        start = processor_seconds()
        path = export_onnx(workload)
        return {
            "parameters": sum(parameter.numel() for parameter in workload.network().parameters()),
            "seconds": ended - begun[0][1],
            "stages": by_stage(begun, ended),
            "again_seconds": again,
            "peak_megabytes": peak / 1e6,
            "megabytes": size / 1e6,
            "forward_seconds": processor_seconds() - start,
            "forward_megabytes": path.stat().st_size / 1e6,
        }


def _compile(workload: Workload, format: Literal["onnx", "pt2"], progress: Callable[[str], None]) -> fgcompile.Artifact:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fgcompile.RulesWarning)
        return fgcompile.compile(
            workload.network(), workload.inputs(), format=format, rules="taylor", psi="fullgrad", progress=progress
        )
