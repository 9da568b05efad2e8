"""The paper's second test: how well can a new network be trained without the pixels that a map calls most salient?

    python -m benchmarks.evidence.remove_and_retrain [--quick] [--methods fullgrad …] [--shares 10 30 …] [--seeds 0 1 2]
                                            [--train 60000] [--test 10000] [--epochs 2] [--data FOLDER] [--report-only]

Remove-and-retrain (Hooker et al., NeurIPS 2019, arXiv:1806.10758; arXiv:1905.00780, section 5.2) on Fashion-MNIST: a
trained network is explained on the training and the test images, the most salient pixels of both give way to the mean
colour, and new networks are trained and tested on what is left. The better the maps, the lower the accuracy; unless
which pixels went tells the class: so one network for each method sees that alone (*mask*).

Needs the extras ``cpu`` and ``demo``, the group ``evidence``, and the data set (see ``benchmarks.evidence.fashion``).
``--quick`` ends in
ten minutes on two cores. Each method, share and seed is a line of ``results/remove_and_retrain.jsonl``; what is there
is not measured again. ``results/evidence.md`` is made of all lines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.evidence.command import run_command
from benchmarks.evidence.fashion import accuracy, read_fashion, train
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.removal import Order, fill_value, most, rank, remove
from benchmarks.evidence.report import RETRAINING, write_report
from benchmarks.evidence.subjects import Images, garments
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import show_progress
from benchmarks.harness.records import Result, Store
from examples.vision_transformer.mosaics import Garments

NONE = "none"
"""The method of a network that is trained on whole images."""

MASK_SHARE = 50
"""Per cent of pixels that are gone where a network sees which ones, and nothing else."""


Pair = Sequence[Garments]
"""The training and the test images."""


@dataclass(frozen=True)
class Ranking:
    """The pixels of the training and the test images, least salient first, and how fast they were explained."""

    train: Order
    test: Order
    images_per_second: float


def main(arguments: list[str] | None = None) -> int:
    """Trains what is asked for and not yet known, and writes the report; returns the exit status."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    store = RETRAINING(options.results)
    if not options.report_only:
        _run(options, store)
    write_report(options.results)
    return 0


def _run(options: argparse.Namespace, store: Store) -> None:
    sets = {
        split: _first(read_fashion(options.data, split), count)
        for split, count in (("train", options.train), ("t10k", options.test))
    }
    setting = {"train": len(sets["train"].labels), "test": len(sets["t10k"].labels), "epochs": options.epochs}
    wanted = [run | setting for run in _runs(options)]
    rankings: dict[str, Ranking] = {}
    with show_progress("remove and retrain", len(wanted)) as begin:
        for run in wanted:
            method, share, seed = run["method"], run["share"], run["seed"]
            report = begin(f"{method}, {share} %, seed {seed}, {run['seen']}")
            if store.has(run):
                continue
            figures = {}
            left: Pair = [*sets.values()]
            if method != NONE:
                if method not in rankings:
                    report("maps")
                    rankings = {method: _rank(method, sets, options.data)}
                figures["images_per_second"] = rankings[method].images_per_second
                orders = (rankings[method].train, rankings[method].test)
                left = _removed(left, orders, share / 100, run["seen"])
            model = train(left[0], options.epochs, seed, lambda done, report=report: report(f"training, {done:.0%}"))
            store.append(run | figures | {"accuracy": accuracy(model, left[1])})


def _runs(options: argparse.Namespace) -> list[Result]:
    """What is trained: on whole images, then for each method on what is left and on the mask alone."""
    runs: list[Result] = [{"method": NONE, "share": 0, "seed": seed, "seen": "image"} for seed in options.seeds]
    for method in options.methods:
        runs += [
            {"method": method, "share": share, "seed": seed, "seen": "image"}
            for share in options.shares
            for seed in options.seeds
        ]
        if MASK_SHARE in options.shares:
            runs.append({"method": method, "share": MASK_SHARE, "seed": options.seeds[0], "seen": "mask"})
    return runs


def _rank(method: str, sets: dict[str, Garments], data: Path | None) -> Ranking:
    subject = garments(data)
    with tempfile.TemporaryDirectory() as folder:
        explain = METHODS[method].make(subject, Path(folder))
        maps, seconds = METHODS[method].run(explain, np.concatenate([_pixels(images) for images in sets.values()]))
    order = rank(maps)
    count = len(sets["train"].labels)
    return Ranking(order[:count], order[count:], 1 / seconds)


def _removed(sets: Pair, orders: Sequence[Order], share: float, seen: str) -> Pair:
    """The training and the test images without a share of pixels; or, seen as a mask, white with these pixels black."""
    colour = fill_value(_pixels(sets[0]), "mean")
    if seen == "mask":
        sets = [Garments(torch.full_like(of.images, 255), of.labels) for of in sets]
        colour = np.zeros(1, np.uint8)
    return [_without(of, most(order, share), colour) for of, order in zip(sets, orders, strict=True)]


def _without(of: Garments, pixels: Order, colour: Images) -> Garments:
    return Garments(torch.from_numpy(remove(_pixels(of), pixels, colour)[..., 0]), of.labels)


def _pixels(of: Garments) -> Images:
    """uint8 ``(N, H, W, 1)``."""
    return of.images.unsqueeze(3).numpy()


def _first(of: Garments, count: int) -> Garments:
    return Garments(of.images[:count], of.labels[:count])


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence.remove_and_retrain",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    methods = [name for name, method in METHODS.items() if method.shown]
    parser.add_argument("--quick", action="store_true", help="four methods, three shares, one seed, 6,000 images")
    parser.add_argument("--methods", nargs="+", choices=methods, metavar="NAME")
    parser.add_argument("--shares", nargs="+", type=int, metavar="PERCENT")
    parser.add_argument("--seeds", nargs="+", type=int)
    parser.add_argument("--train", type=int, help="training images")
    parser.add_argument("--test", type=int, help="test images")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--report-only", action="store_true", help="train nothing, write the report again")
    full = {"methods": methods, "shares": [10, 30, 50, 70, 90], "seeds": [0, 1, 2], "train": 60000, "test": 10000}
    quick = {
        "methods": ["fullgrad", "gradient-times-input", "input-gradient", "random"],
        "shares": [10, 50, 90],
        "seeds": [0],
        "train": 6000,
        "test": 2000,
    }
    options = parser.parse_args(arguments)
    for name, value in (quick if options.quick else full).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return options


if __name__ == "__main__":
    sys.exit(run_command(main))
