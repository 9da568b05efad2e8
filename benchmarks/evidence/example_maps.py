"""The maps of all methods side by side, on the same images.

    python -m benchmarks.evidence.example_maps [--subjects efficientnet-lite0 …] [--images 0 1 …] [--data FOLDER]

Writes ``results/maps-SUBJECT.jpg``, which ``results/evidence.md`` shows.
Needs the extras ``cpu`` and ``demo``, the group ``evidence`` and
Fashion-MNIST for the subject ``fashion`` (``--data``: see ``benchmarks.evidence.fashion``).
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import torch

from benchmarks.evidence.command import run_command
from benchmarks.evidence.figures import draw_maps
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.report import maps_file, write_report
from benchmarks.evidence.subjects import SUBJECTS
from benchmarks.harness.environment import RESULTS
from benchmarks.harness.progress import show_progress


def main(arguments: list[str] | None = None) -> int:
    """Draws the maps and writes the report; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.evidence.example_maps",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    subjects = ["efficientnet-lite0", "digits", "fashion"]
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=subjects, metavar="NAME")
    parser.add_argument("--images", nargs="+", type=int, default=list(range(5)), metavar="N", help="which, from 0")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--data", type=Path, help="the folder of Fashion-MNIST")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder of the pictures and the report")
    options = parser.parse_args(arguments)
    torch.set_num_threads(options.threads)
    compared = {name: method for name, method in METHODS.items() if method.shown}
    options.results.mkdir(parents=True, exist_ok=True)
    with show_progress("example maps", len(options.subjects) * len(compared)) as begin:
        for name in options.subjects:
            subject = SUBJECTS[name](options.data)
            images = subject.images[options.images]
            maps = {}
            for key, method in compared.items():
                begin(f"{name}, {key}")
                with tempfile.TemporaryDirectory() as folder:
                    maps[method.label] = method.run(method.make(subject, Path(folder)), images)[0]
            draw_maps(maps_file(options.results, name), images, maps)
    write_report(options.results)
    return 0


if __name__ == "__main__":
    sys.exit(run_command(main))
