"""Artifacts in JavaScript beside the session in Python: do the numbers agree, and what does a call take?

    python -m benchmarks.serving.javascript [--pictures N] [--rounds N] [--screenshot FILE.jpg [--texts FILE.onnx]]

Explains the pictures of the demo's networks on the page of ``fgcompile page``, in headless Chromium with WebAssembly,
and with ``examples/node``; gives the session in Python the same pixels. Then the page and the session, with one thread
each, take turns. Writes ``results/javascript.md``; or only draws the page with an espresso into ``--screenshot``, and
the page of an artifact for texts, as ``examples/sentiment`` makes one, into ``text.jpg`` beside it.

Needs the extras ``cpu`` and ``demo``, Chromium, and Node.js with `npm ci` in both folders.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.samples import load_digit_network, load_photo_network
from benchmarks.serving import chromium, node
from fgcompile.artifact.validation import Array
from fgcompile.demo.networks import load_efficientnet
from fgcompile.page.site import TEXTS
from fgcompile.pictures.images import read_photo

PACKAGES = ("onnxruntime", "pillow")
JAVASCRIPT_PACKAGES = (
    chromium.PACKAGES / "onnxruntime-web",
    node.FOLDER / "node_modules" / "onnxruntime-node",
)
ESPRESSO = 1
TEXT = "The film was dull, but the music is wonderful. A joyless remake that nobody needed."
_WORD = 12  # joyless, which is two tokens
_WARM_UPS = 3
_QUALITY = 72
"""Of the screenshots of photos, as JPEG has it: with no more to load than needs be."""

AGREEMENT = ["network", "runtime", "pictures", "same class", "logits", "map, median", "map, largest"]
READING = ["network", "read by", "pixels", "same class", "logits", "correlation of maps"]
TIMES = ["network", "Chromium", "Python", "ratio"]
LEGEND = """\
*Agreement*, with the session in Python on the same pixels: largest difference of a logit, relative to the picture's
largest logit; largest difference within a map, relative to the map's maximum, of which the median and the largest over
the pictures. Where the latter stands out, expect that rounding has flipped a choice of an activation;
[parity](parity.md) has what that does to float32 maps.

*Reading*: what the page and the program make of a photo, beside `fgcompile explain`, which resizes with Pillow. Pixels:
mean difference, of 255; logits: largest difference, as they are; correlation: the smallest over the pictures.

*Time* of a call with one thread, in milliseconds: median, and in brackets the first and third quartile. Both take turns
here, so that a busy moment falls on both; the ratio is the median of the rounds' own."""

Record = dict[str, Any]


def agreement(session: fgcompile.Session, found: Sequence[Record]) -> list[str]:
    """The cells of ``AGREEMENT`` from the third on."""
    same, logits, maps = 0, [], []
    for each in found:
        expected = session.explain(_pixels(session, each))
        a, b = _array(expected.logits)[0], np.array(each["logits"])
        same += int(a.argmax() == b.argmax())
        logits.append(float(np.abs(a - b).max() / np.abs(a).max()))
        saliency = _array(expected.saliency).ravel()
        maps.append(float(np.abs(saliency - each["saliency"]).max() / saliency.max()))
    return [str(len(found)), str(same), f"{max(logits):.1e}", f"{median(maps):.1e}", f"{max(maps):.1e}"]


def reading(session: fgcompile.Session, found: Sequence[Record], paths: Sequence[Path]) -> list[str]:
    """The cells of ``READING`` from the third on."""
    pixels, same, logits, correlations = [], 0, [], []
    for each, path in zip(found, paths, strict=True):
        given = _pixels(session, each)
        photo = read_photo(path, given.shape[1:])  # type: ignore[arg-type]
        expected = session.explain(photo[np.newaxis])
        pixels.append(float(np.abs(given.astype(int) - photo).mean()))
        a, b = _array(expected.logits)[0], np.array(each["logits"])
        same += int(a.argmax() == b.argmax())
        logits.append(float(np.abs(a - b).max()))
        maps = (_array(expected.saliency).ravel(), np.array(each["saliency"]))
        correlations.append(float(np.corrcoef(*maps)[0, 1]))
    return [f"{np.mean(pixels):.2f}", f"{same} of {len(paths)}", f"{max(logits):.2f}", f"{min(correlations):.4f}"]


def times(session: fgcompile.Session, page: chromium.Page, x: Array, rounds: int) -> list[str]:
    """The cells of ``TIMES`` from the second on; the page shows the photo ``x``."""
    seconds: list[tuple[float, float]] = []
    for _ in range(_WARM_UPS + rounds):
        (milliseconds,) = page.do("time", calls=1)
        start = time.perf_counter()
        session.explain(x)
        seconds.append((milliseconds, 1000 * (time.perf_counter() - start)))
    table = np.array(seconds[_WARM_UPS:])
    cells = []
    for column in table.T:
        lower, middle, upper = np.percentile(column, (25, 50, 75))
        cells.append(f"{middle:.1f} ({lower:.1f} to {upper:.1f})")
    return [*cells, f"{np.median(table[:, 0] / table[:, 1]):.2f}"]


def _pixels(session: fgcompile.Session, found: Record) -> Array:
    shape = session.metadata["inputs"][0]["shape"][1:]
    return np.array(found["pixels"], dtype=np.uint8).reshape(1, *shape)


def _array(value: Array | None) -> Array:
    assert value is not None
    return value


def measure(folder: Path, pictures: int | None, rounds: int) -> str:
    """The report's tables."""
    tables: dict[str, list[list[str]]] = {"Agreement": [], "Reading": [], "Time": []}
    for network in (load_photo_network(), load_digit_network()):
        artifact = compile_for_photos(network, folder / f"{network.key}.onnx")
        session = fgcompile.load(artifact, threads=1)
        paths = [picture.path for picture in network.pictures[:pictures]]
        served = folder / network.key
        served.mkdir()
        with chromium.open_page(served, artifact) as page:
            found = []
            for path in paths:
                page.do("choose", file=path)
                found.append(page.do("numbers"))
            tables["Time"].append([network.title, *times(session, page, _pixels(session, found[-1]), rounds)])
        by_node = node.explain(artifact, paths)
        for name, records in (("Chromium, WebAssembly", found), ("Node.js", by_node)):
            tables["Agreement"].append([network.title, name, *agreement(session, records)])
            tables["Reading"].append([network.title, name, *reading(session, records, paths)])
    headers = {"Agreement": AGREEMENT, "Reading": READING, "Time": TIMES}
    return "\n\n".join(f"## {name}\n\n{markdown_table(headers[name], rows)}" for name, rows in tables.items())


def draw_screenshot(folder: Path, path: Path) -> None:
    """Draws the page with an espresso into ``path``, a JPEG, and beside it as a phone shows it."""
    network = load_efficientnet()
    artifact = compile_for_photos(network, folder / f"{network.key}.onnx")
    served = folder / "served"
    served.mkdir()
    with chromium.open_page(served, artifact) as page:
        for _ in range(_WARM_UPS):
            page.do("choose", file=network.pictures[ESPRESSO].path)
        page.do("screenshot", path=path.resolve(), quality=_QUALITY)
        page.do("screenshot", path=path.resolve().with_name("phone.jpg"), width=390, height=844, quality=_QUALITY)


def draw_texts(artifact: Path, served: Path, folder: Path) -> None:
    """Draws the page of an artifact for texts into ``folder``, as ``text.jpg``, and as a phone shows it."""
    served.mkdir()
    with chromium.open_page(served, artifact, page=TEXTS) as page:
        for _ in range(_WARM_UPS):
            page.do("write", texts=[TEXT])
        page.do("point", word=_WORD)
        page.do("screenshot", path=folder / "text.jpg")
        page.do("screenshot", path=folder / "text-phone.jpg", width=390, height=844)


def main(arguments: list[str] | None = None) -> int:
    """Measures and writes the report, or draws the screenshot; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving.javascript", description=__doc__)
    parser.add_argument("--pictures", type=int, help="how many pictures of each network, all by default")
    parser.add_argument("--rounds", type=int, default=40, help="rounds of one call each, %(default)s by default")
    parser.add_argument("--screenshot", type=Path, metavar="FILE.jpg", help="only draw the page, into this file")
    parser.add_argument("--texts", type=Path, metavar="FILE.onnx", help="with --screenshot: draw this one's page too")
    options = parser.parse_args(arguments)
    if reason := chromium.missing() or node.missing():
        parser.error(reason)
    with tempfile.TemporaryDirectory() as name:
        if options.screenshot:
            draw_screenshot(Path(name), options.screenshot)
            if options.texts:
                draw_texts(options.texts, Path(name) / "texts", options.screenshot.resolve().parent)
            return 0
        tables = measure(Path(name), options.pictures, options.rounds)
    stated = facts("benchmarks.serving.javascript", PACKAGES)
    stated["machine"] += f"; load average {os.getloadavg()[-1]:.1f}, this command's own work included"
    stated["versions"] = ", ".join([stated["versions"], chromium.version(), *map(node.version, JAVASCRIPT_PACKAGES)])
    publish("javascript", "Artifacts in JavaScript", stated, f"{tables}\n\n{LEGEND}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
