"""Do maps depend on what the network has learnt? The sanity checks of Adebayo et al. (2018, arXiv:1810.03292).

    python -m benchmarks.evidence.sanity_checks [--methods fullgrad …] [--report-only]

*Cascading randomisation*: the layers of the network for Fashion-MNIST lose their trained weights one by one, from the
last to the first. *Randomised labels*: a network learns the true labels of 200 images by heart, another one labels of
chance. A map that says something of the network must become another one: the figures are Spearman's rank correlations
of the maps before and after, means over images.

Needs the extras ``cpu`` and ``demo`` and the group ``evidence``; the images are 200 samples of
``examples/vision_transformer``. Each check, method and step is a line of ``results/sanity_checks.jsonl``;
``results/evidence.md`` is made of all lines.
"""

from __future__ import annotations

import argparse
import copy
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn

from benchmarks.evidence.fashion import FashionNetwork, accuracy, load_trained, train
from benchmarks.evidence.intervals import interval
from benchmarks.evidence.methods import METHODS, Maps
from benchmarks.evidence.report import SANITY, write_report
from benchmarks.evidence.subjects import of_fashion
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import show_progress
from examples.vision_transformer.mosaics import Garments, load_samples

EPOCHS = 150
"""In which a network learns 200 labels by heart."""

METHOD_NAMES = ("fullgrad", "simple-fullgrad", "grad-cam", "gradient-times-input", "input-gradient", "random")


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence.sanity_checks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=METHOD_NAMES, metavar="NAME")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--report-only", action="store_true", help="measure nothing, write the report again")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    if not options.report_only:
        _run(options)
    write_report(options.results)
    return 0


def _run(options: argparse.Namespace) -> None:
    store, samples = SANITY(options.results), load_samples()
    wanted = [
        method
        for method in options.methods
        if not all(store.has({"check": check, "method": method, "step": step}) for check, step in steps())
    ]
    if not wanted:
        return
    with show_progress("sanity checks", 1 + len(wanted)) as begin:
        begin("networks that learn by heart")
        of_chance = shuffled(samples)
        networks = [train(garments, EPOCHS, seed=0) for garments in (samples, of_chance)]
        rates = [accuracy(networks[0], samples), accuracy(networks[1], of_chance)]
        for method in wanted:
            report = begin(method)
            report("trained network")
            first = maps_of(load_trained(), samples, method)
            for step, network in randomised():
                report(step)
                found = correlation(first, maps_of(network, samples, method))
                store.append({"check": "cascade", "method": method, "step": step, "correlation": found})
            report("randomised labels")
            found = correlation(*(maps_of(network, samples, method) for network in networks))
            store.append(
                {"check": "labels", "method": method, "step": "labels", "correlation": found, "accuracies": rates}
            )


def steps() -> list[tuple[str, str]]:
    """The checks and their steps."""
    return [*(("cascade", name) for name in layers(load_trained())), ("labels", "labels")]


def layers(network: nn.Module) -> list[str]:
    """The layers with weights, last first; a convolution stands for the BatchNorm behind it too."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, kinds)][::-1]


def randomised() -> Iterator[tuple[str, FashionNetwork]]:
    """The trained network with fresh weights in its last layer, then in its last two, and so on."""
    network = load_trained()
    torch.manual_seed(0)
    names = layers(network)
    for name, module in reversed(list(network.named_modules())):
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
        if name in names:
            yield name, copy.deepcopy(network)


def shuffled(samples: Garments) -> Garments:
    """The same images under labels of chance."""
    order = torch.randperm(len(samples.labels), generator=torch.Generator().manual_seed(0))
    return Garments(samples.images, samples.labels[order])


def maps_of(network: FashionNetwork, samples: Garments, method: str) -> Maps:
    """The maps of the samples, each of the class that the network predicts for it."""
    subject = of_fashion(samples, network)
    with tempfile.TemporaryDirectory() as folder:
        explain = METHODS[method].make(subject, Path(folder))
        return METHODS[method].run(explain, subject.images)[0]


def correlation(first: Maps, second: Maps) -> list[float]:
    """Spearman's rank correlation of two maps, ``[mean, low, high]`` over the images."""
    from scipy.stats import spearmanr  # type: ignore[import-untyped]

    pairs = zip(first.reshape(len(first), -1), second.reshape(len(second), -1), strict=True)
    values = [spearmanr(a, b).statistic if np.ptp(a) > 0 and np.ptp(b) > 0 else 0.0 for a, b in pairs]
    return interval(np.array(values))[0]


if __name__ == "__main__":
    sys.exit(main())
