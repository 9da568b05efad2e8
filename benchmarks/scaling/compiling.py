"""What compiling a network costs, stage by stage, beside exporting its forward pass."""

from __future__ import annotations

import resource
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import torch

import fgcompile
from benchmarks.latency.runtimes import export_onnx
from benchmarks.latency.workload import Workload
from fgcompile.system.machine import cores

LIMIT = 3600.0
"""Seconds for compiling one network."""


def peak_memory() -> int:
    """The most bytes of memory that this process has held so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def measure_compiling(model: str) -> dict[str, Any]:
    """Compiles a network to ONNX on all cores; to be called in a fresh process.

    Returns:
        ``parameters``; ``seconds`` in all, checks included, and by ``stages``, whose names are those that ``compile``
        reports; ``peak_megabytes`` of resident memory up to then; ``megabytes`` of the artifact; ``forward_seconds``
        and ``forward_megabytes`` of ``torch.onnx.export`` of the plain model.
    """
    torch.set_num_threads(cores())
    with tempfile.TemporaryDirectory() as folder:
        workload = Workload(model, 1, 1, Path(folder))
        network, x = workload.network(), workload.inputs()
        begun: list[tuple[str, float]] = []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fgcompile.RulesWarning)
            artifact = fgcompile.compile(
                network,
                x,
                rules="taylor",
                psi="fullgrad",
                progress=lambda stage: begun.append((stage, time.perf_counter())),
            )
        ended = time.perf_counter()
        peak = peak_memory()
        size = len(artifact.content)
        del artifact
        start = time.perf_counter()
        path = export_onnx(workload)
        ends = [*(moment for _, moment in begun[1:]), ended]
        return {
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
            "seconds": ended - begun[0][1],
            "stages": {stage: end - moment for (stage, moment), end in zip(begun, ends, strict=True)},
            "peak_megabytes": peak / 1e6,
            "megabytes": size / 1e6,
            "forward_seconds": time.perf_counter() - start,
            "forward_megabytes": path.stat().st_size / 1e6,
        }
