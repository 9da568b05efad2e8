"""Measures one network of the zoo, stage by stage, in a process of its own.

    python -m benchmarks.zoo.measure NAME --events FILE [--stages build capture …] [--memory 12]

Appends a line of JSON to the file when a stage begins and when it ends, so that whoever started the process knows what
there is to know even if it crashes, runs out of memory or is stopped.
"""

from __future__ import annotations

import argparse
import copy
import json
import resource
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

import fgcompile
from benchmarks.harness.failures import reason
from benchmarks.zoo.models import ZOO, ZooModel, build_model
from fgcompile.artifact.names import SUFFIXES
from fgcompile.compiler.capture.capture import capture
from fgcompile.compiler.rules import RULE_SETS, apply_rules

FORMATS = ("onnx", "torchscript")
"""Those that every network is compiled to: an AOTInductor package takes a minute and more of compiling C++."""

OUTPUTS = ("logits", "saliency", "contributions", "residual")
TRACED, OTHER = 1, 5
"""Batch sizes that an artifact is run at: its example's, and one that no stage of compiling uses."""

Figures = dict[str, Any]


def all_stages(artifacts: bool = True) -> tuple[str, ...]:
    """Every stage in order; without those that compile artifacts if ``artifacts`` is false."""
    completeness = [f"completeness_{rules}" for rules in RULE_SETS]
    compiled = [f"{format}_{rules}" for rules in RULE_SETS for format in FORMATS] if artifacts else []
    return ("build", "capture", *completeness, *compiled)


class Measurement:
    """One network and how each stage is measured on it."""

    def __init__(self, row: ZooModel) -> None:
        self.row = row
        self.model: nn.Module
        self.inputs = _as_tuple(row.draw(OTHER, seed=1))
        self.target = row.score
        self.same_graph = False
        self.measured: dict[str, Figures] = {}

    def run(self, stage: str) -> Figures:
        """The figures of a stage; its name picks the method and its arguments."""
        if stage in ("build", "capture"):
            method: Callable[[], Figures] = getattr(self, stage)
            return method()
        kind, _, rules = stage.partition("_")
        if kind == "completeness":
            return self.completeness(rules)
        if self.same_graph and kind in self.measured:
            return {**self.measured[kind], "same_graph": True}
        self.measured[kind] = self.artifact(kind, rules)
        return self.measured[kind]

    def build(self) -> Figures:
        """Builds the network: the number of its parameters."""
        self.model = build_model(self.row.name)
        return {"parameters": sum(parameter.numel() for parameter in self.model.parameters())}

    def capture(self) -> Figures:
        """Captures and exposes: the operators of ``f(x, b)``, and its sites by kind.

        Where the rule sets leave one and the same graph, as of a network of convolutions and ReLUs, the artifacts of
        the first stand for those of the others.
        """
        captured = capture(self.model, self.batch(2), self.target if callable(self.target) else None)
        captured.graph_module.graph.eliminate_dead_code()
        graphs = {str(apply_rules(captured, rules).graph_module.graph) for rules in RULE_SETS}
        self.same_graph = len(graphs) == 1
        program = fgcompile.expose_biases(self.model, self.batch(2))
        operators = sum(node.op == "call_function" for node in program.graph_module.graph.nodes)
        return {"operators": operators, "sites": dict(Counter(site.kind for site in program.sites).most_common())}

    def completeness(self, rules: str) -> Figures:
        """``|f − Σ terms| / Σ |terms|`` of the eager full-gradient in float64, the largest of a batch of two."""
        model = copy.deepcopy(self.model).double()
        inputs = tuple(_in_double(value) for value in self.batch(2))
        terms = fgcompile.full_gradient(model, inputs, target=self.target, rules=rules)
        return {"error": float(terms.relative_completeness_error.max())}

    def artifact(self, format: str, rules: str) -> Figures:
        """Compiles and runs at two batch sizes: the residual relative to Σ |terms|, and logits against the model's."""
        start = time.perf_counter()
        artifact = fgcompile.compile(
            self.model, self.batch(TRACED), format=format, target=self.target, rules=rules, outputs=OUTPUTS
        )
        figures: Figures = {"seconds": time.perf_counter() - start, "megabytes": len(artifact.content) / 1e6}
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"artifact{SUFFIXES[format]}"
            artifact.save(path)
            session = fgcompile.load(path, threads=1)
        figures |= self.compare(session, TRACED)
        try:
            other = self.compare(session, OTHER)
        except Exception as error:  # whatever a runtime raises at a batch that it was not traced at
            figures["other_batch"] = reason(error)
        else:
            figures["other_batch"] = other["logits"]
            figures["residual"] = max(figures["residual"], other["residual"])
        return figures

    def compare(self, session: fgcompile.Session, count: int) -> Figures:
        """Runs an artifact and the model on a batch of ``count``."""
        inputs = self.batch(count)
        with torch.no_grad():
            outputs = pytree.tree_leaves(self.model(*inputs))
        expected = next(value for value in outputs if isinstance(value, Tensor)).numpy()
        explanation = session.explain(tuple(value.numpy() for value in inputs))
        assert explanation.logits is not None
        assert explanation.contributions is not None
        assert explanation.residual is not None
        terms = np.abs(explanation.contributions).sum(1)
        return {
            "residual": float((np.abs(explanation.residual) / terms).max()),
            "logits": float(np.abs(explanation.logits - expected).max() / np.abs(expected).max()),
        }

    def batch(self, count: int) -> tuple[Tensor, ...]:
        """The first ``count`` samples of every input."""
        return tuple(value[:count] for value in self.inputs)


def _as_tuple(drawn: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    return (drawn,) if isinstance(drawn, Tensor) else tuple(drawn)


def _in_double(value: Tensor) -> Tensor:
    return value.double() if value.is_floating_point() else value


def main(arguments: list[str] | None = None) -> int:
    """Measures the stages asked for; after ``build`` or ``capture`` failed there is nothing left to do."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.zoo.measure", description=__doc__)
    parser.add_argument("name", choices=ZOO, metavar="NAME")
    parser.add_argument("--events", type=Path, required=True, help="the file of JSON lines to append to")
    parser.add_argument("--stages", nargs="+", default=all_stages(), metavar="STAGE")
    parser.add_argument("--memory", type=int, default=12, help="limit of the address space, GiB")
    options = parser.parse_args(arguments)

    limit = options.memory << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    measurement = Measurement(ZOO[options.name])
    with options.events.open("a", buffering=1) as events:

        def report(**event: Any) -> None:
            print(json.dumps(event), file=events)

        for stage in options.stages:
            report(stage=stage, event="begun")
            try:
                report(stage=stage, event="done", figures=measurement.run(stage))
            except Exception as error:  # the point of the zoo is to list what fails, and why
                report(stage=stage, event="failed", reason=reason(error))
                if stage in ("build", "capture"):
                    break
        report(event="end", peak_megabytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3)
    return 0


if __name__ == "__main__":
    sys.exit(main())
