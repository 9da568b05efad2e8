"""Which operators take an artifact's time, in ONNX Runtime?

    python -m benchmarks.latency.operators [--models NAME …] [--folder FOLDER]

Needs the extras ``cpu`` and ``demo`` and the group ``bench``. One thread, batch 1. ONNX Runtime's own profile of the
graph as it runs it, after its optimisations: of each operator the median of the calls, in parts of the forward pass,
whose own profile is 1. Writes ``results/operators.md``.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]

from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.harness.progress import show_progress
from benchmarks.latency.preparation import prepare_apart
from benchmarks.latency.runtimes import compile_artifact, export_onnx
from benchmarks.latency.workload import MODELS, Workload
from benchmarks.networks.architectures import ARCHITECTURES

CALLS, WARM = 30, 5
KINDS = {
    "products": ("Conv", "ConvTranspose", "Gemm", "FusedGemm", "MatMul", "FusedMatMul"),
    "element by element": (
        *("Mul", "Add", "Sub", "Div", "Abs", "Neg", "Sqrt", "Reciprocal", "Pow", "Exp", "Erf", "Tanh", "Sigmoid"),
        *("Relu", "Clip", "Gelu", "BiasGelu", "QuickGelu", "Max", "Min"),
    ),
    "masks": ("Cast", "Less", "Greater", "LessOrEqual", "GreaterOrEqual", "Equal", "And", "Or", "Not", "Where"),
    "reductions": ("ReduceMin", "ReduceMax", "ReduceSum", "ReduceMean", "GlobalAveragePool"),
    "layout": (
        *("ReorderInput", "ReorderOutput", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Flatten", "Expand"),
        *("Concat", "Split", "Slice", "Pad", "DepthToSpace", "Identity", "Tile"),
    ),
    "pooling and resizing": ("MaxPool", "AveragePool", "Resize"),
    "normalisations": ("LayerNormalization", "SkipLayerNormalization", "BatchNormalization", "Softmax"),
}
LEGEND = f"""\
Median of {CALLS} calls for each node, added up; *forward* is the plain model's profile, to which all other columns are
relative. A profile's sum is less than the latency of a call by what is between the nodes, and reading the clock adds to
each: ratios of whole calls are those of [latency.md](latency.md)."""


def main(arguments: list[str] | None = None) -> int:
    """Profiles the networks and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.latency.operators",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--models", nargs="+", choices=ARCHITECTURES, default=MODELS, metavar="NAME")
    parser.add_argument("--folder", type=Path, help="where networks and artifacts are kept for another time")
    options = parser.parse_args(arguments)
    rows = []
    with tempfile.TemporaryDirectory() as temporary, show_progress("profiles", len(options.models)) as begin:
        for model in options.models:
            begin(model)
            folder = (options.folder or Path(temporary)) / model
            folder.mkdir(parents=True, exist_ok=True)
            workload = Workload(model, 1, 1, folder)
            for candidate in ("onnxruntime.forward", "onnxruntime.fused"):
                prepare_apart(workload, candidate)
            rows += _rows(model, workload)
    header = ["network", "graph", "nodes", "profile, ms", "in all", *KINDS, "others"]
    name = "benchmarks.latency.operators"
    body = f"{LEGEND}\n\n{markdown_table(header, rows)}"
    publish("operators", "Which operators take the time", facts(name, ("torch", "onnxruntime")), body)
    return 0


def _rows(model: str, workload: Workload) -> list[list[str]]:
    graphs = {"forward": export_onnx(workload), "artifact": compile_artifact("onnx", workload)}
    profiles = {name: profile(path, workload) for name, path in graphs.items()}
    unit = sum(profiles["forward"].times.values())
    return [[model, name, *each.cells(unit)] for name, each in profiles.items()]


class Profile:
    """What a graph's nodes take.

    Attributes:
        nodes: How many there are.
        times: Milliseconds by operator.
    """

    def __init__(self, nodes: Mapping[tuple[str, str], list[float]]) -> None:
        self.nodes = len(nodes)
        self.times: Counter[str] = Counter()
        for (_, operator), took in nodes.items():
            self.times[operator] += statistics.median(took)  # type: ignore[assignment]  # counts may be fractions

    def cells(self, unit: float) -> list[str]:
        """The profile's cells of a row, times in parts of ``unit`` milliseconds."""
        total = sum(self.times.values())
        kinds = [sum(self.times[operator] for operator in operators) for operators in KINDS.values()]
        shares = [total, *kinds, max(0.0, total - sum(kinds))]
        return [str(self.nodes), f"{total:.1f}", *(f"{share / unit:.2f}" for share in shares)]


def profile(path: Path, workload: Workload) -> Profile:
    """ONNX Runtime's profile of a file, called as ``latency.md`` calls it."""
    x, target = workload.inputs().numpy(), workload.target().numpy()
    nodes: dict[tuple[str, str], list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # as sessions of artifacts have it
        options.enable_profiling = True
        options.profile_file_prefix = f"{folder}/profile"
        session = onnxruntime.InferenceSession(path, options)
        feeds = {spec.name: x if spec.type == "tensor(float)" else target for spec in session.get_inputs()}
        for _ in range(WARM + CALLS):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text())
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            nodes[event["name"], event["args"]["op_name"]].append(event["dur"] / 1000)
    return Profile({node: took[WARM:] for node, took in nodes.items()})


if __name__ == "__main__":
    sys.exit(main())
