"""The artifact that explains on demand: what its two answers cost, beside the forward pass and the plain artifact."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from weakref import WeakValueDictionary

import numpy as np

import fgcompile
from benchmarks.harness.once import once
from benchmarks.latency.workload import Call, Candidate, Workload


def compile_on_demand(workload: Workload) -> Path:
    """The fused artifact with the input ``explain``."""

    def write(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fgcompile.RulesWarning)
            artifact = fgcompile.compile(
                workload.network(), workload.inputs(batch=1), on_demand=True, rules="taylor", psi="fullgrad"
            )
        artifact.save(path)

    return once(workload.folder / "on_demand.onnx", write)


_sessions: WeakValueDictionary[tuple[Path, int], fgcompile.Session] = WeakValueDictionary()


def _session(path: Path, threads: int) -> fgcompile.Session:
    """The one session that gives both answers, for as long as either is called."""
    session = _sessions.get((path, threads))
    if session is None:
        session = fgcompile.load(path, providers=["CPUExecutionProvider"], threads=threads)
        _sessions[path, threads] = session
    return session


def _call(explain: bool, workload: Workload) -> Call:
    session = _session(compile_on_demand(workload), workload.threads)
    x, target, asked = (spec["name"] for spec in session.metadata["inputs"])
    feeds = {x: workload.inputs().numpy(), target: workload.target().numpy(), asked: np.array(explain)}
    return partial(session.run, feeds)


ON_DEMAND: dict[str, Candidate] = {
    key: Candidate(
        key,
        label,
        "ONNX Runtime",
        "rival",
        partial(_call, explain),
        compile_on_demand,
        devices=("cpu",),
        packages=(("onnxruntime", "onnxruntime"),),
    )
    for key, label, explain in (
        ("on-demand-logits", "fused artifact on demand, logits alone", False),
        ("on-demand-explained", "fused artifact on demand, explained", True),
    )
}
"""By name on the command line."""
