"""What do several targets in one call cost, beside a call for each?

    python -m benchmarks.latency.targets [--networks NAME …] [--formats onnx pt2] [--again]

Needs the extras ``cpu`` and ``demo``, the group ``bench`` and, for ``pt2``, a C++ compiler. One thread; every network
and format has a process of its own, and so has what memory it takes. Each is a line of ``results/targets.jsonl`` and is
not measured again on this machine with these versions; ``results/targets.md`` is made of all lines.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn

import fgcompile
from benchmarks.harness.environment import RESULTS, markdown_table, publish
from benchmarks.harness.isolated import run_isolated
from benchmarks.harness.processes import processor_seconds
from benchmarks.harness.records import Store
from benchmarks.latency.memory import resident_memory
from benchmarks.latency.timing import Effort, Timing, time_alternately
from benchmarks.networks.architectures import build_network
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.request import Request
from fgcompile.compiler.tracing import trace
from fgcompile.compiler.tracing.trace import in_one_batch

PACKAGES = ("torch", "onnxruntime", "captum")
NETWORKS = ("resnet18", "resnet50", "mobilenet_v2", "vit_s_16")
COUNT = 5
EFFORT = Effort(repeats=15, seconds=12.0)
LIMIT = 3600.0
PLACES, CLASSES, PAIRS = 100, 10, 100
FORMS = ("alone", "rows", "in turns")
PAIRS_OF = ("pairs", "onnx")
STORE = Store(RESULTS / "targets.jsonl", ("network", "format", "machine", "versions"), PACKAGES)
HEADER = ["network", "format", "form", "ms", "ratio", "MB", "compile, s"]
LEGEND = f"""\
A call of {COUNT} targets beside {COUNT} calls of one, a batch of one picture, one thread, CPU time of the process, \
medians (and the quartiles' distance).

- *rows*: a row for each target in one backward pass. *in turns*: a backward pass for each. The form that \
`targets={COUNT}` has is marked with a star.
- *ratio*: to {COUNT} calls of one target; goal 0.65. *MB*: the most memory of a call, beyond what is loaded. \
*compile*: CPU time of compiling, the compiler of C++ too."""


class Places(nn.Module):
    """Classes ``(N, 100, 10)`` of the places of a signal ``(N, 8, 100)``."""

    def __init__(self) -> None:
        super().__init__()
        layers = [nn.Conv1d(8, 32, 5, padding=2), nn.ReLU(), nn.Conv1d(32, 32, 5, padding=2), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv1d(32, CLASSES, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).transpose(1, 2)  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency.targets", description=__doc__)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--formats", nargs="+", default=("onnx", "pt2"))
    parser.add_argument("--again", action="store_true", help="measure what has been measured again")
    options = parser.parse_args()
    known = set() if options.again else {(result["network"], result["format"]) for result in STORE.current()}
    for wanted in itertools.product(options.networks, options.formats):
        if wanted not in known:
            STORE.append(_measured(*wanted))
            _publish()
    if options.again or PAIRS_OF not in known:
        STORE.append(dict(zip(("network", "format"), PAIRS_OF, strict=True)) | {"rows": _pairs()})
    _publish()


def _measured(network: str, format: str) -> dict[str, Any]:
    """A result: the table's cells of each form."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = {"network": network, "format": format, "folder": folder}
        took = run_isolated("benchmarks.latency.targets:measure", arguments, LIMIT)
        memory = {
            form: run_isolated("benchmarks.latency.targets:memory_of", {**arguments, "form": form}, LIMIT)
            for form in took
        }
    rows = [_row(network, format, form, took, memory) for form in took]
    print(*(" | ".join(row) for row in rows), sep="\n", flush=True)
    return {"network": network, "format": format, "rows": rows}


def _pairs() -> list[list[str]]:
    pairs = run_isolated("benchmarks.latency.targets:measure_pairs", {}, LIMIT)
    return [[name, *cells] for name, cells in pairs.items()]


def _publish() -> None:
    results = STORE.read()
    pairs = [row for result in results if (result["network"], result["format"]) == PAIRS_OF for row in result["rows"]]
    rows = [row for result in results if (result["network"], result["format"]) != PAIRS_OF for row in result["rows"]]
    title = f"## {PAIRS} pairs of a place and a class of an output (N, {PLACES}, {CLASSES})"
    tables = [markdown_table(HEADER, rows), title, markdown_table(["", "ms", "beside one call"], pairs)]
    known = ("machine", "versions", "date")
    facts = {fact: "; ".join(dict.fromkeys(result[fact] for result in results)) for fact in known}
    facts["command"] = "`python -m benchmarks.latency.targets`"
    publish("targets", "Several targets in one call", facts, "\n\n".join([LEGEND, *tables]))


def _row(network: str, format: str, form: str, took: Any, memory: Any) -> list[str]:
    alone = COUNT * took["alone"]["ms"]
    shown = alone if form == "alone" else took[form]["ms"]
    return [
        network,
        format,
        f"{COUNT} calls" if form == "alone" else form + " *" * (form == took["alone"]["own"]),
        f"{shown:.1f} (± {100 * took[form]['spread']:.0f} %)",
        f"{shown / alone:.3f}",
        f"{memory[form]:.0f}",
        f"{took[form]['compile']:.0f}",
    ]


def measure(network: str, format: str, folder: str) -> dict[str, dict[str, Any]]:
    """Milliseconds of a call of each form, their relative spread, and what compiling took; leaves the artifacts."""
    _quietly()
    model, x = build_network(network), torch.randn(1, 3, 224, 224)
    compiling = {}
    for form in FORMS:
        start = processor_seconds()
        with mock.patch.object(trace, "in_one_batch", lambda _, form=form: form == "rows"):
            targets = None if form == "alone" else COUNT
            options: dict[str, Any] = {"format": format, "targets": targets}
            artifact = fgcompile.compile(model, x, rules="taylor", psi="fullgrad", **options)
        compiling[form] = processor_seconds() - start
        artifact.save(_path(folder, form, format))
    calls = {form: _call(folder, form, format) for form in FORMS}
    took = time_alternately(calls, EFFORT, lambda: None)
    own = "rows" if in_one_batch(Request(targets=COUNT, format=format)) else "in turns"  # type: ignore[arg-type]
    return {
        form: {"ms": timing.cpu_median, "spread": timing.spread, "compile": compiling[form], "own": own}
        for form, timing in took.items()
    }


def memory_of(network: str, format: str, folder: str, form: str) -> float:
    """The most megabytes of a call, beyond what is resident before."""
    _quietly()
    before, during = resident_memory(_call(folder, form, format))
    return (during - before) / 1e6


def _call(folder: str, form: str, format: str) -> Callable[[], object]:
    session = fgcompile.load(_path(folder, form, format), threads=1)
    x = np.random.default_rng(0).standard_normal((1, 3, 224, 224)).astype(np.float32)
    target = np.array([7]) if form == "alone" else np.arange(COUNT)[np.newaxis]
    return lambda: session.run({"x": x, "target": target})


def _path(folder: str, form: str, format: str) -> Path:
    return Path(folder) / f"{form.replace(' ', '_')}{SUFFIXES[format]}"


def _quietly() -> None:
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)


def measure_pairs() -> dict[str, list[str]]:
    """Milliseconds for the explanations of all pairs: in one call, in a call each, and by captum in a call each."""
    from captum.attr import InputXGradient

    _quietly()
    torch.manual_seed(0)
    model, x = Places().eval(), torch.randn(1, 8, PLACES)
    pairs = np.stack([np.arange(PAIRS) % PLACES, np.arange(PAIRS) % CLASSES], 1)
    feeds = {"x": x.numpy()}
    sessions = {}
    with tempfile.TemporaryDirectory() as folder:
        for targets in (None, "dynamic"):
            path = Path(folder) / f"{targets}.onnx"
            fgcompile.compile(model, x, targets=targets).save(path)  # type: ignore[arg-type]
            sessions[targets] = fgcompile.load(path, threads=1)
    attribution = InputXGradient(model)
    one = f"fgcompile, {PAIRS} pairs in one call"
    took: dict[str, Timing] = time_alternately(
        {
            one: lambda: sessions["dynamic"].run({**feeds, "target": pairs[np.newaxis]}),
            f"fgcompile, {PAIRS} calls": lambda: [
                sessions[None].run({**feeds, "target": pair[np.newaxis]}) for pair in pairs
            ],
            f"captum's gradient × input, {PAIRS} calls": lambda: [
                attribution.attribute(x.clone().requires_grad_(), target=tuple(pair)) for pair in pairs.tolist()
            ],
        },
        EFFORT,
        lambda: None,
    )
    return {
        name: [
            f"{timing.cpu_median:.1f} (± {100 * timing.spread:.0f} %)",
            f"{timing.cpu_median / took[one].cpu_median:.1f}",
        ]
        for name, timing in took.items()
    }


if __name__ == "__main__":
    main()
