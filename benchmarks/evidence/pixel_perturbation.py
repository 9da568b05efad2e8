"""The paper's first test: how much does the output change if the pixels that a map calls least salient are removed?

    python -m benchmarks.evidence.pixel_perturbation [--subjects digits …] [--methods fullgrad …] [--fills black mean]
                                            [--images 2000] [--data FOLDER] [--report-only]

Compares the compiled artifacts' maps with those of the methods in use, on trained networks: EfficientNet-Lite0, 1 and 2
on 20 ImageNet photos, a digit network, and one for Fashion-MNIST (``--data``: see ``benchmarks.evidence.fashion``).
Needs the extras ``cpu`` and ``demo`` and the group ``evidence``. Each subject, method and replacement is a line of
``results/pixel_perturbation.jsonl``; what is there is not measured again. ``results/evidence.md`` is made of all lines.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch

from benchmarks.evidence.command import run_command
from benchmarks.evidence.intervals import interval
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.removal import FILLS, perturb
from benchmarks.evidence.report import PERTURBATION, write_report
from benchmarks.evidence.subjects import SUBJECTS, Subject
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import Reporter, show_progress
from benchmarks.harness.records import Store


def main(arguments: list[str] | None = None) -> int:
    """Measures what is asked for and not yet known, and writes the report; returns the exit status."""
    options = _parse(arguments)
    torch.set_num_threads(options.threads)
    store = PERTURBATION(options.results)
    names = [] if options.report_only else options.subjects
    with show_progress("pixel perturbation", len(names) * len(options.methods)) as begin:
        for name in names:
            subject = SUBJECTS[name](options.data)
            for method in options.methods:
                report = begin(f"{name}, {method}")
                fills = [fill for fill in options.fills if not store.has(_kind(subject, method, fill, options.images))]
                if fills:
                    measure(subject, method, fills, options.images, store, report)
    write_report(options.results)
    return 0


def measure(subject: Subject, method: str, fills: list[str], count: int, store: Store, report: Reporter) -> None:
    """Explains the first images and removes pixels of them."""
    images = subject.images[:count]
    report("maps")
    with tempfile.TemporaryDirectory() as folder:
        explain = METHODS[method].make(subject, Path(folder))
        maps, seconds = METHODS[method].run(explain, images)
    for fill in fills:
        report(f"removal, {fill}")
        found = perturb(subject.logits, images, maps, fill)
        figures = {name: interval(values) for name, values in asdict(found).items()}
        store.append(_kind(subject, method, fill, count) | {"seconds": seconds} | figures)


def _kind(subject: Subject, method: str, fill: str, count: int) -> dict[str, str | int]:
    images = min(count, len(subject.images))
    return {"subject": subject.network.key, "method": method, "fill": fill, "images": images}


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence.pixel_perturbation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), metavar="NAME")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), metavar="NAME")
    parser.add_argument("--fills", nargs="+", choices=FILLS, default=list(FILLS))
    parser.add_argument("--images", type=int, default=2000, help="of each subject, at most")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the records and the report")
    parser.add_argument("--report-only", action="store_true", help="measure nothing, write the report again")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(run_command(main))
