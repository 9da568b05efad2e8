"""What is measured of a language model, each in a process of its own."""

from __future__ import annotations

import gc
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import fgcompile
from benchmarks.language.subjects import SUBJECTS, TOKENS, Subject
from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.cli.sources import load_source
from fgcompile.errors import RulesWarning

THREADS = 1

LENGTHS = (64, 256, 1024)

CALLS = 5
"""Of each kind and length, at most."""

ENOUGH = 60.0
"""Seconds of a kind and length after which no further call is made; two are made at least, the first to warm up."""


def write(name: str, folder: str) -> int:
    """Writes the checkpoint; returns the number of parameters."""
    return SUBJECTS[name].write(Path(folder))


def compile_checkpoint(folder: str, output: str) -> dict[str, Any]:
    """Compiles a checkpoint to ONNX, on demand and of any length; to be called in a fresh process, on Linux.

    Returns:
        ``seconds`` of the processor in all and by ``stages``; ``base_megabytes`` of resident memory before the
        checkpoint is loaded, once everything that is needed is imported; ``peaks``, the most megabytes above that in
        each stage, the model itself and mapped files among them; ``megabytes`` of the artifact's files.
    """
    _prepare()
    _warm_up()
    memory = _Memory()
    base, peaks = memory.now(), {}
    begun = [("load", time.process_time())]

    def begin(stage: str) -> None:
        peaks[begun[-1][0]] = (memory.peak() - base) / 1e6
        begun.append((stage, time.process_time()))

    model = load_source(f"transformers:{folder}")
    artifact = fgcompile.compile(model, _ids(model), dynamic_sizes=True, on_demand=True, progress=begin)
    begin("save")
    artifact.save(output)
    begin("end")
    ends = [moment for _, moment in begun[1:]]
    stages = {stage: end - start for (stage, start), end in zip(begun[:-1], ends, strict=True)}
    files = Path(output).parent.glob(f"{Path(output).name}*")
    return {
        "seconds": sum(stages.values()) - stages["load"] - stages["save"],
        "stages": stages,
        "base_megabytes": base / 1e6,
        "peaks": peaks,
        "megabytes": sum(file.stat().st_size for file in files) / 1e6,
    }


def verify_artifact(folder: str, output: str) -> dict[str, Any]:
    """Runs the artifact beside its model; ``passed``, the worst check as a part of its limit, ``peak_megabytes``."""
    _prepare()
    model = load_source(f"transformers:{folder}")
    report = fgcompile.verify(output, model, _ids(model))
    used = max((check.measured / check.limit for check in report.checks if check.limit), default=0.0)
    return {"passed": report.passed, "worst": used, "peak_megabytes": _Memory().peak() / 1e6}


def explain_length(output: str, length: int) -> dict[str, float]:
    """Explains the next token of a text; the seconds of an explanation and of a forward pass, in turns, and memory."""
    _prepare()
    session = fgcompile.load(output, providers=["CPUExecutionProvider"], threads=THREADS)
    (tokens,) = (spec for spec in session.metadata["inputs"] if spec["name"] == "input_ids")
    (table,) = {index["size"] for index in tokens["indexes"] if isinstance(index["size"], int)}
    ids = np.random.default_rng(0).integers(0, table, (1, length))
    feeds = {"input_ids": ids, "target": np.array([[length - 1, -1]])}
    kinds = {
        "forward": lambda: session.run({**feeds, "explain": np.array(False)}),
        "explanation": lambda: session.run({**feeds, "explain": np.array(True)}),
    }
    return {**_in_turns(kinds), "peak_megabytes": _Memory().peak() / 1e6}


def _in_turns(kinds: dict[str, Callable[[], Any]]) -> dict[str, float]:
    """The median seconds of each kind; the first call of each is not counted."""
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(CALLS + 1):
        for kind, call in kinds.items():
            start = time.process_time()
            call()
            taken[kind].append(time.process_time() - start)
        if len(taken["forward"]) > 1 and sum(map(sum, taken.values())) > ENOUGH:
            break
    return {kind: float(np.median(seconds[1:])) for kind, seconds in taken.items()}


def _prepare() -> None:
    torch.set_num_threads(THREADS)
    warnings.simplefilter("ignore", RulesWarning)
    define_missing_operators()


def _warm_up() -> None:
    """Compiles a network of one layer, so that what is imported on the way is not counted."""
    settings = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with tempfile.TemporaryDirectory() as folder:
        Subject("Llama", "ForCausalLM", "float32", {**settings, "vocab_size": 50}).write(Path(folder))
        model = load_source(f"transformers:{folder}")
        fgcompile.compile(model, _ids(model), dynamic_sizes=True, on_demand=True)


def _ids(model: Any) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"input_ids": torch.randint(0, model.config.vocab_size, (1, TOKENS), generator=generator)}


class _Memory:
    """The resident memory of this process, as Linux counts it."""

    def now(self) -> int:
        gc.collect()
        Path("/proc/self/clear_refs").write_text("5")  # sets the peak to what is resident now: proc_pid_clear_refs(5)
        return _status("VmRSS")

    def peak(self) -> int:
        """The most since the last peak was asked for, or since it began."""
        most = _status("VmHWM")
        Path("/proc/self/clear_refs").write_text("5")
        return most


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(field)).split()[1])
