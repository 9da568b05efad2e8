"""Measures that a compiled explanation is the eager one: completeness, residuals, logits and maps, network by network.

    python -m benchmarks.exactness.parity [--models resnet18 …] [--small] [--json]

The figures and their limits are those of ``CRITERIA``. Networks already in the results file that were measured in the
same environment are kept, so that a sweep can be done in parts. Exit status 1 if a criterion is missed.
"""

from __future__ import annotations

import argparse
import copy
import json
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import Tensor, nn

import fgcompile
from benchmarks.harness.environment import RESULTS, machine, markdown_table, today, versions
from benchmarks.networks.architectures import ARCHITECTURES, build_network
from benchmarks.networks.weights import sample_inputs
from fgcompile.compiler import pipeline
from fgcompile.demo.eager_fullgrad import fullgrad_reference

FORMATS = {"onnx": ".onnx", "torchscript": ".pt"}
BATCHES = (1, 5)
PACKAGES = ("torch", "torchvision", "onnx", "onnxscript", "onnxruntime")

Record = dict[str, float]
"""A network's figures by the key of their criterion; figures that do not apply to the network are absent."""


@dataclass(frozen=True)
class Criterion:
    """A figure of the table: its key in a record, its heading, and the largest value that passes (None: any)."""

    key: str
    heading: str
    limit: float | None


CRITERIA = (
    Criterion("completeness", "completeness, float64", 1e-10),
    Criterion("fused_map", "map of the fused graph, float64", 1e-9),
    Criterion("parameters_map", 'map of terms="parameters", float64', 1e-9),
    *(
        criterion
        for name, label in (("onnx", "ONNX"), ("torchscript", "TorchScript"))
        for criterion in (
            *(Criterion(f"{name}_residual_{batch}", f"{label} residual, batch {batch}", 1e-4) for batch in BATCHES),
            Criterion(f"{name}_logits", f"{label} logits", 1e-4),
            Criterion(f"{name}_map_ratio", f"{label} map ÷ eager", 3.0),
        )
    ),
    Criterion("eager_map", "eager map, float32", None),
    Criterion("inputs", "inputs", None),
    Criterion("size", "size", None),
)

LEGEND = """\
- *completeness*: largest `|f − Σ terms| / |f|` of `fgcompile.full_gradient` in float64.
- *map of the fused graph*: largest difference between its map and that of the authors' algorithm (hooks and autograd),
  both in float64, relative to the map's maximum. Networks of convolutions, linear layers, BatchNorm and ReLU only: on
  others the authors' algorithm leaves out the biases of the activations.
- *map of terms="parameters"*: the same for the graph that leaves them out too, so of any network.
- *residual*: largest `|residual| / Σ |contributions|` of the artifact, float32.
- *logits*: largest difference from the eager model's, relative to the sample's largest logit, float32.
- *map ÷ eager*: distance of the artifact's float32 map from the float64 map of the authors' algorithm, relative to that
  of eager float32 (the authors' algorithm again), each the median over the inputs. A distance is the largest difference
  relative to the map's maximum; *eager map* gives the denominator.
- *inputs*: how many maps were compared. Rounding flips a choice of a ReLU or pooling in some maps, eager PyTorch's own
  included, and moves them by far more than rounding itself: where about half of the maps are flipped, the median over a
  few inputs is a matter of luck.
- Random weights (`benchmarks/networks/weights.py`) except for `efficientnet_lite0`, which is trained. Explained class:
  the predicted one."""


def measure(name: str, small: bool, count: int = 10, size: int | None = None) -> Record:
    """Measures every figure of ``CRITERIA`` that applies to a network of the table, on ``count`` inputs.

    Args:
        name: The network's row in the table.
        small: Whether to take few, small inputs.
        count: The number of inputs.
        size: Height and width of the inputs; the network's own if None.
    """
    architecture = ARCHITECTURES[name]
    side = 128 if small else size
    shape = architecture.input_shape if side is None else (3, side, side)
    count = max(BATCHES) if small else max(count, *BATCHES)
    model = build_network(name)
    x = sample_inputs(shape, count, seed=1)
    with torch.no_grad():
        logits = torch.cat([model(sample) for sample in _samples(x)])
    target = logits.argmax(1)

    double = copy.deepcopy(model).double()
    terms = fgcompile.full_gradient(double, x[:2].double(), target=target[:2])
    score = terms.output.gather(1, target[:2, None]).squeeze(1)
    record = {"completeness": float((terms.completeness_error / score.abs()).max())}
    record |= {"inputs": float(count), "size": float(shape[-1])}

    double_maps = _reference_maps(double, x[:2].double(), target[:2])
    record["parameters_map"] = _fused_distance(model, x[:2], target[:2], double_maps, terms="parameters")
    maps = None
    if architecture.piecewise_linear:
        maps = _reference_maps(double, x.double(), target)
        record["eager_map"] = median(_distances(_reference_maps(model, x, target), maps))
        record["fused_map"] = _fused_distance(model, x[:2], target[:2], double_maps)
    for format in FORMATS:
        record |= _measure_artifact(format, model, x, target, logits, maps, record.get("eager_map"))
    return record


def _fused_distance(model: nn.Module, x: Tensor, target: Tensor, maps: Tensor, **options: Any) -> float:
    """The largest distance of the fused graph's maps, in float64, from others."""
    program = pipeline.fuse(model, (x[:1],), outputs=("logits", "saliency"), **options)
    _, fused = program.graph_module(x.double(), target)
    return max(_distances(fused, maps))


def _reference_maps(model: nn.Module, x: Tensor, target: Tensor) -> Tensor:
    """The maps of the authors' algorithm, one sample at a time to bound the memory."""
    pairs = zip(_samples(x), _samples(target), strict=True)
    return torch.cat([fullgrad_reference(model, sample, label).saliency for sample, label in pairs])


def _samples(values: Tensor) -> list[Tensor]:
    """Batches of one."""
    return [value.unsqueeze(0) for value in values]


def _distances(maps: Tensor, reference: Tensor) -> list[float]:
    """Each sample's largest difference, relative to the maximum of its reference map."""
    difference = (maps.double() - reference).abs().flatten(1).amax(1)
    distances: list[float] = (difference / reference.abs().flatten(1).amax(1)).tolist()
    return distances


def _measure_artifact(
    format: str,
    model: nn.Module,
    x: Tensor,
    target: Tensor,
    logits: Tensor,
    maps: Tensor | None,
    eager_distance: float | None,
) -> Record:
    outputs = ("logits", "saliency", "contributions", "residual")
    artifact = fgcompile.compile(model, (x[:1],), format=format, outputs=outputs)
    record: Record = {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"artifact{FORMATS[format]}"
        artifact.save(path)
        session = fgcompile.load(path, threads=1)
    single = [session.explain(a.numpy(), b.numpy()) for a, b in zip(_samples(x), _samples(target), strict=True)]
    batch = session.explain(x[: max(BATCHES)].numpy(), target[: max(BATCHES)].numpy())
    for size, explanations in zip(BATCHES, (single, [batch]), strict=True):
        residual = torch.cat([torch.from_numpy(e.residual) for e in explanations])
        contributions = torch.cat([torch.from_numpy(e.contributions) for e in explanations])
        record[f"{format}_residual_{size}"] = float((residual.abs() / contributions.abs().sum(1)).max())
    compiled = torch.cat([torch.from_numpy(e.logits) for e in [*single, batch]])
    expected = torch.cat([logits, logits[: max(BATCHES)]])
    record[f"{format}_logits"] = float(((compiled - expected).abs().amax(1) / expected.abs().amax(1)).max())
    if maps is not None and eager_distance is not None:
        saliency = torch.cat([torch.from_numpy(e.saliency) for e in single])
        record[f"{format}_map_ratio"] = median(_distances(saliency, maps)) / eager_distance
    return record


def misses(record: Record) -> list[str]:
    """The headings of the criteria that a record does not meet."""
    return [
        criterion.heading
        for criterion in CRITERIA
        # a figure that is not a number misses its limit too
        if criterion.limit is not None and criterion.key in record and not record[criterion.key] <= criterion.limit
    ]


def render(records: Mapping[str, Record], environment: Mapping[str, str]) -> str:
    """The report: how it was made, the table of figures with a mark for each limit kept, and what they mean."""
    limits = [criterion.heading if criterion.limit is None else _limited(criterion) for criterion in CRITERIA]
    rows = [[name, *(_cell(criterion, record) for criterion in CRITERIA)] for name, record in records.items()]
    facts = "\n".join(f"- {key}: {value}" for key, value in environment.items())
    table = markdown_table(["network", *limits], rows)
    return f"# Parity with the eager model\n\n{facts}\n\n{table}\n\n{LEGEND}\n"


def _limited(criterion: Criterion) -> str:
    return f"{criterion.heading} (≤ {criterion.limit:g})"


def _cell(criterion: Criterion, record: Record) -> str:
    if criterion.key not in record:
        return "–"
    value = record[criterion.key]
    if criterion.key in ("inputs", "size"):
        return f"{value:.0f}"
    text = f"{value:.2f}" if criterion.key.endswith("ratio") else f"{value:.1e}"
    if criterion.limit is None:
        return text
    return f"{text} {'✓' if value <= criterion.limit else '✗'}"


def main(arguments: list[str] | None = None) -> int:
    """Measures the networks asked for, writing the report after each; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness.parity", description=__doc__)
    default = [name for name, architecture in ARCHITECTURES.items() if architecture.parity]
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=default, metavar="NAME")
    parser.add_argument("--small", action="store_true", help="5 inputs of 128×128; writes no report")
    parser.add_argument("--inputs", type=int, default=10, help="inputs whose maps are compared")
    parser.add_argument("--size", type=int, help="height and width of the inputs, instead of the network's own")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of the table")
    options = parser.parse_args(arguments)

    torch.set_num_threads(1)
    environment = {"machine": machine(), "versions": versions(PACKAGES)}
    store = RESULTS / "parity.json"
    records = {} if options.small else _stored(store, environment)
    columns = (TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task("parity", total=len(options.models))
        for name in options.models:
            progress.update(task, description=name)
            records[name] = measure(name, options.small, options.inputs, options.size)
            progress.advance(task)
            if not options.small:
                records = {name: records[name] for name in ARCHITECTURES if name in records}
                _write(store, records, environment)
    measured = {name: records[name] for name in options.models}
    print(json.dumps(measured, indent=2) if options.json else render(measured, environment))
    return 1 if any(misses(record) for record in measured.values()) else 0


def _stored(path: Path, environment: Mapping[str, str]) -> dict[str, Record]:
    """The records of earlier runs, unless they were made in another environment."""
    if not path.exists():
        return {}
    stored = json.loads(path.read_text())
    records: dict[str, Record] = stored["records"] if stored["environment"] == environment else {}
    return records


def _write(path: Path, records: Mapping[str, Record], environment: Mapping[str, str]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"environment": environment, "records": records}, indent=2) + "\n")
    facts = {**environment, "date": today(), "command": "`python -m benchmarks.exactness.parity`"}
    path.with_suffix(".md").write_text(render(records, facts))


if __name__ == "__main__":
    sys.exit(main())
