"""What half precision costs: the artifacts of trained networks on their photos, beside those in float32.

    python -m benchmarks.exactness.precision [--pictures N]

Needs the extras ``cpu`` and ``demo``; writes ``results/precision.md``. It measures accuracy, not speed: on a CPU half
precision is emulated, and rounds as it does on a GPU but for the order of sums.
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from rich.console import Console
from rich.progress import track

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.networks.samples import load_digit_network, load_photo_network
from fgcompile.artifact.validation import Array
from fgcompile.demo.networks import Network
from fgcompile.runtime import Explanation
from fgcompile.runtime.session import open_session

NETWORKS: dict[str, Callable[[], Network]] = {
    "EfficientNet-Lite0, ImageNet photos": load_photo_network,
    "digit network, MNIST": load_digit_network,
}
HALVES = (("onnx", "float16"), ("torchscript", "float16"), ("torchscript", "bfloat16"))
"""Formats and precisions; ONNX has no bfloat16 convolution."""

PACKAGES = ("torch", "onnx", "onnxruntime")

HEADER = [
    "network",
    "format",
    "precision",
    "pictures",
    "same class",
    "logits",
    "map, mean",
    "map, largest",
    "correlation of maps",
    "residual",
    "residual, float32",
]
LEGEND = """\
Each picture is explained for the class that the float32 artifact of the same format predicts.

- *same class*: for how many pictures the half-precision artifact predicts the same.
- *logits*: largest difference over the pictures, relative to the picture's largest logit.
- *map*: mean and largest difference within a picture, relative to its map's maximum; *correlation of maps*: Pearson's,
  over the places of a map. Medians over the pictures.
- *residual*: largest `|residual| / Σ |contributions|` over the pictures: what the terms miss the score by.

A gradient that falls on the other side of a choice (a ReLU at 0, a tie of a pooling) moves a map by far more than
rounding itself; float32 maps have such flips against float64 too, see [parity](parity.md)."""


@dataclass(frozen=True)
class Row:
    """A line of the table, in the order of ``HEADER``."""

    network: str
    format: str
    precision: str
    pictures: int
    same_class: int
    logits: float
    map_mean: float
    map_largest: float
    correlation: float
    residual: float
    residual_single: float

    def cells(self) -> list[str]:
        """As text."""
        head = [self.network, self.format, self.precision, str(self.pictures), str(self.same_class)]
        errors = [self.logits, self.map_mean, self.map_largest]
        residuals = [self.residual, self.residual_single]
        return [*head, *map("{:.1e}".format, errors), f"{self.correlation:.4f}", *map("{:.1e}".format, residuals)]


def compare(single: list[Explanation], half: list[Explanation]) -> dict[str, float]:
    """The figures of ``Row`` for explanations of the same pictures and classes, one by one."""
    pairs = list(zip(single, half, strict=True))
    maps = [[_array(each.saliency).astype(np.float64).ravel() for each in pair] for pair in pairs]
    logits = [[_array(each.logits).astype(np.float64) for each in pair] for pair in pairs]
    errors = [np.abs(b - a) / np.abs(a).max() for a, b in maps]
    return {
        "same_class": sum(int(a.argmax() == b.argmax()) for a, b in logits),
        "logits": max(float(np.abs(b - a).max() / np.abs(a).max()) for a, b in logits),
        "map_mean": median(float(error.mean()) for error in errors),
        "map_largest": median(float(error.max()) for error in errors),
        "correlation": median(float(np.corrcoef(a, b)[0, 1]) for a, b in maps),
        "residual": max(map(_residual, half)),
        "residual_single": max(map(_residual, single)),
    }


def _residual(explanation: Explanation) -> float:
    magnitude = np.abs(_array(explanation.contributions)).sum()
    return float(np.abs(_array(explanation.residual)).max() / magnitude)


def _array(value: Array | None) -> Array:
    assert value is not None
    return value


def _explain(network: Network, x: Array, targets: list[int], format: str, precision: str) -> list[Explanation]:
    outputs = ("logits", "saliency", "contributions", "residual")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", fgcompile.RulesWarning)
        artifact = fgcompile.compile(
            network.model, torch.from_numpy(x[:1]), format=format, precision=precision, outputs=outputs, rules="taylor"
        )
    session = open_session(artifact.content, artifact.metadata, "artifact")  # type: ignore[arg-type]
    return [session.explain(x[i : i + 1], target) for i, target in enumerate(targets)]


def rows(limit: int | None) -> Iterator[Row]:
    """Measures every network in every half precision, on at most ``limit`` pictures each."""
    for name, load in NETWORKS.items():
        network = load()
        photos = network.read_photos(limit)
        x = network.prepare(torch.from_numpy(photos)).numpy()
        predicted = [-1] * len(photos)
        single: dict[str, list[Explanation]] = {}
        for format, precision in HALVES:
            if format not in single:
                single[format] = _explain(network, x, predicted, format, "float32")
            targets = [int(_array(explanation.target)[0]) for explanation in single[format]]
            half = _explain(network, x, targets, format, precision)
            yield Row(name, format, precision, len(photos), **compare(single[format], half))  # type: ignore[arg-type]


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.exactness.precision", description=__doc__)
    parser.add_argument("--pictures", type=int, help="how many pictures of each network, all by default")
    options = parser.parse_args(arguments)
    total = len(NETWORKS) * len(HALVES)
    found = list(track(rows(options.pictures), "half precision", total, console=Console(stderr=True)))
    table = markdown_table(HEADER, [row.cells() for row in found])
    stated = facts("benchmarks.exactness.precision", PACKAGES)
    publish("precision", "What half precision costs", stated, f"{table}\n\n{LEGEND}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
