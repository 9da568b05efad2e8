"""Images a second and memory of ``fgcompile batch``, beside the bare session in a loop, and whether the maps agree.

    python -m benchmarks.serving.bulk ARTIFACT [--images N]

ARTIFACT takes raw photos; they are cut at random from those of foolbox. Writes ``results/bulk.md``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pyarrow.parquet as pq
from PIL import Image

import fgcompile
from benchmarks.harness.environment import RESULTS, machine, markdown_table, today, versions
from benchmarks.harness.isolated import run_isolated
from benchmarks.networks.samples import find_pictures
from fgcompile.pictures.images import photo_shape, read_photo
from fgcompile.system.machine import cores, peak_memory

LIMIT = 3600.0


def cut_photos(folder: Path, count: int) -> list[Path]:
    """Photos of seven eighths of an original's side, each from another place."""
    folder.mkdir()
    generator = np.random.default_rng(0)
    originals = [picture.path for picture in find_pictures("imagenet")]
    paths = []
    for number in range(count):
        with Image.open(originals[number % len(originals)]) as opened:
            image = opened.convert("RGB")
        width, height = image.size
        left, top = (int(generator.integers(0, side // 8 + 1)) for side in image.size)
        paths.append(folder / f"photo-{number:05}.jpg")
        image.crop((left, top, left + width * 7 // 8, top + height * 7 // 8)).save(paths[-1])
    return paths


def explain_in_a_loop(artifact: str, photos: list[str], threads: int) -> dict[str, float]:
    """What anybody would write: a photo after the other, in this process, which must be a fresh one."""
    session = fgcompile.load(artifact, threads=threads)
    shape = photo_shape(session.metadata)
    session.explain(read_photo(Path(photos[0]), shape)[np.newaxis])
    start = time.perf_counter()
    for photo in photos:
        session.explain(read_photo(Path(photo), shape)[np.newaxis])
    return {"seconds": time.perf_counter() - start, "bytes": peak_memory() or 0}


def explain_in_bulk(artifact: Path, photos: Path, output: Path) -> dict[str, Any]:
    """The command's own summary, with ``command_seconds`` from start to end and ``bytes`` of all its processes."""
    command = [sys.executable, "-m", "fgcompile", "batch", str(artifact), str(photos), "-o", str(output), "--json"]
    start = time.perf_counter()
    environment = {**os.environ, "RAY_worker_niceness": "0"}  # or Ray's workers give way to whatever else runs
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    most = 0
    while process.poll() is None:
        most = max(most, _memory(process.pid))
        time.sleep(0.5)
    seconds = time.perf_counter() - start
    assert process.stdout is not None
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return {**json.loads(process.stdout.read()), "command_seconds": seconds, "bytes": most}


def _memory(pid: int) -> int:
    """What a process and its descendants hold, shared pages counted once."""
    total = 0
    try:
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    for process in family:
        try:
            total += process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total


def compare_maps(artifact: Path, output: Path) -> tuple[float, float, int]:
    """The largest difference between a row's map and the session's own of that photo alone; the largest value of any
    map; and how many rows name another class."""
    session = fgcompile.load(artifact, threads=cores())
    shape = photo_shape(session.metadata)
    difference = largest = 0.0
    others = 0
    for file in (output / "results").glob("*.parquet"):
        rows = pq.read_table(file)
        maps = rows["saliency"].to_numpy()
        for path, predicted, saliency in zip(
            rows["path"].to_pylist(), rows["predicted"].to_pylist(), maps, strict=True
        ):
            alone = session.explain(read_photo(Path(path), shape)[np.newaxis])
            difference = max(difference, float(np.abs(alone.saliency.ravel() - saliency).max()))
            largest = max(largest, float(alone.saliency.max()))
            others += predicted != alone.logits.argmax()
    return difference, largest, others


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.bulk", description=__doc__)
    parser.add_argument("artifact", type=Path)
    parser.add_argument("--images", type=int, default=400)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photos = cut_photos(folder / "photos", arguments.images)
        options = {"artifact": str(arguments.artifact), "photos": [str(path) for path in photos], "threads": 1}
        rows, loads = [], []
        for contender in ("loop", "bulk", "loop"):
            loads.append(f"{os.getloadavg()[0]:.1f}")
            if contender == "loop":
                loop = run_isolated("benchmarks.serving.bulk:explain_in_a_loop", options, LIMIT)
                rate = f"{len(photos) / loop['seconds']:.1f}"
                rows.append(["session in a loop, one thread", rate, "", f"{loop['bytes'] / 1e6:.0f}"])
            else:
                bulk = explain_in_bulk(arguments.artifact, folder / "photos", folder / "out")
                rate, rest = f"{bulk['images_per_second']:.1f}", f"{bulk['command_seconds'] - bulk['seconds']:.0f}"
                name = f"`fgcompile batch`, {cores()} actors of one thread"
                rows.append([name, rate, rest, f"{bulk['bytes'] / 1e6:.0f}"])
        difference, largest, others = compare_maps(arguments.artifact, folder / "out")
    text = f"""# Bulk runs

{len(photos)} photos, read and explained one by one in a loop, by `fgcompile batch`, and in the loop again. \
{machine()}; {versions(("ray", "onnxruntime", "pyarrow"))}; {today()}. Other work ran on the machine: its load average \
was {", ".join(loads)} when each began, and Ray's workers had no lower priority \
(`RAY_worker_niceness=0`). Written by `python -m benchmarks.serving.bulk ARTIFACT --images {len(photos)}`.

{markdown_table(["", "images a second", "seconds to start and stop", "peak memory (MB)"], rows)}

Of all maps, the largest difference from the session's own of the photo alone is {difference:.1e}, where the largest \
value of a map is {largest:.1f}; {others} photos are of another class.
"""
    (RESULTS / "bulk.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
