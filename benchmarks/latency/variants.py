"""Artifacts compiled otherwise: on demand, what its two answers cost, and with the terms of parameters alone."""

from __future__ import annotations

import warnings
from functools import partial
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

import fgcompile
from benchmarks.harness.once import once
from benchmarks.latency.workload import Call, Candidate, Workload


def compile_variant(name: str, options: dict[str, Any], workload: Workload) -> Path:
    """The artifact that is compiled with more options, in ONNX."""

    def write(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", fgcompile.RulesWarning)
            artifact = fgcompile.compile(
                workload.network(), workload.inputs(batch=1), rules="taylor", psi="fullgrad", **options
            )
        artifact.save(path)

    return once(workload.folder / f"{name}.onnx", write)


compile_on_demand = partial(compile_variant, "on_demand", {"on_demand": True})
compile_parameters = partial(compile_variant, "parameters", {"terms": "parameters"})

_sessions: WeakValueDictionary[tuple[Path, int], fgcompile.Session] = WeakValueDictionary()


def _session(path: Path, threads: int) -> fgcompile.Session:
    """The one session that gives both answers, for as long as either is called."""
    session = _sessions.get((path, threads))
    if session is None:
        session = fgcompile.load(path, providers=["CPUExecutionProvider"], threads=threads)
        _sessions[path, threads] = session
    return session


def _on_demand(explain: bool, workload: Workload) -> Call:
    session = _session(compile_on_demand(workload), workload.threads)
    x, target, asked = (spec["name"] for spec in session.metadata["inputs"])
    feeds = {x: workload.inputs().numpy(), target: workload.target().numpy(), asked: np.array(explain)}
    return partial(session.run, feeds)


def _parameters(workload: Workload) -> Call:
    session = _session(compile_parameters(workload), workload.threads)
    x, target = (spec["name"] for spec in session.metadata["inputs"])
    return partial(session.run, {x: workload.inputs().numpy(), target: workload.target().numpy()})


VARIANTS: dict[str, Candidate] = {
    key: Candidate(
        key,
        label,
        "ONNX Runtime",
        "rival",
        call,
        prepare,
        devices=("cpu",),
        packages=(("onnxruntime", "onnxruntime"),),
    )
    for key, label, call, prepare in (
        (
            "on-demand-logits",
            "fused artifact on demand, logits alone",
            partial(_on_demand, False),
            compile_on_demand,
        ),
        (
            "on-demand-explained",
            "fused artifact on demand, explained",
            partial(_on_demand, True),
            compile_on_demand,
        ),
        ("parameters", "fused artifact, terms of parameters alone", _parameters, compile_parameters),
    )
}
"""By name on the command line."""
