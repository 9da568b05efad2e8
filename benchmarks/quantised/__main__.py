"""Compiles two quantised networks and measures what 8 bits do to predictions, maps, scores and latency.

    python -m benchmarks.quantised [--folder FOLDER]

Needs the extras ``cpu`` and ``demo`` and the groups ``bench`` and ``evidence``; writes ``results/quantised.md``. A
folder keeps the files and artifacts, which are not made again where they are there.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

import fgcompile
from benchmarks.harness.environment import facts, markdown_table, publish
from benchmarks.harness.once import once
from benchmarks.quantised.figures import (
    Apart,
    apart,
    correlations,
    explained,
    in_runtime,
    latencies,
    logits_of,
    of_score,
    perturbation,
    shares,
)
from benchmarks.quantised.subjects import NAMES, Array, Subject, make_subject

PACKAGES = ("torch", "onnx", "onnxruntime")
LEGEND = """\
By `onnxruntime.quantization.quantize_static`: pairs of QuantizeLinear and DequantizeLinear, weights by channel, \
ranges of activations from 10 photos; measured on 10 others. One thread.

- *fused*, *one by one*: the file in ONNX Runtime with its optimisations, and without.
- *differing*: logits that are not equal to the bit; *largest*: the largest difference, relative to the largest logit; \
*classes*: photos whose predicted class is another.
- *share of the terms*: of Σ |contributions|, by kind; *of the score*: |Σ contributions of rounding| / |score|, median.
- *removal*: the change of the 8-bit network's logit as the least salient pixels go, the mean over photos and shares.
- Milliseconds are CPU time, medians: a batch of one photo."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quantised")
    parser.add_argument("--folder", type=Path, help="keeps files and artifacts")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)  # the quantiser's advice
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        parts = [_section(make_subject(name, folder), folder) for name in NAMES]
    body = "\n\n".join([LEGEND, *parts])
    publish("quantised", "Quantised networks", facts("benchmarks.quantised", PACKAGES), body)


def _compile(source: Path, path: Path) -> None:
    outputs = ("logits", "saliency", "contributions", "residual")
    fgcompile.compile(source, on_demand=True, outputs=outputs).save(path)


def _section(subject: Subject, folder: Path) -> str:
    sessions = {}
    for kind, source in (("float", subject.float_file), ("int8", subject.int8_file)):
        path = once(folder / f"{source.stem}.fg.onnx", partial(_compile, source))
        sessions[kind] = fgcompile.load(path, threads=1)
    own = explained(sessions["int8"], subject.x)
    of_float = explained(sessions["float"], subject.x, own["logits"].argmax(1))
    maps = {"int8": own["saliency"], "float": of_float["saliency"]}
    parts = [f"## {NAMES[subject.name]}", _predictions(subject, own["logits"]), _maps(sessions["int8"], own, of_float)]
    if subject.name == "efficientnet_lite0":
        found = perturbation(subject, sessions["int8"], maps)
        fills = sorted({fill for _, fill in found})
        rows = [[each, *(f"{found[each, fill]:.3f}" for fill in fills)] for each in (*maps, "random")]
        parts.append(markdown_table(["removal by the map of", *fills], rows))
    took = latencies(subject, sessions)
    asked = ("file", "predict", "explain")
    rows = [[kind, *(f"{took[kind, each]:.1f}" for each in asked)] for kind in sessions]
    parts.append(markdown_table(["ms", "the file in ONNX Runtime", "prediction on demand", "explanation"], rows))
    return "\n\n".join(parts)


def _predictions(subject: Subject, artifact: Array) -> str:
    fused, apiece = (logits_of(in_runtime(subject.int8_file, each), subject.x) for each in (True, False))
    floats = logits_of(in_runtime(subject.float_file), subject.x)
    rows = [
        _row("artifact, file one by one", apart(artifact, apiece)),
        _row("artifact, file fused", apart(artifact, fused)),
        _row("file one by one, file fused", apart(apiece, fused)),
        _row("file fused, float file", apart(fused, floats)),
    ]
    return markdown_table(["logits of", "differing", "largest", "classes"], rows)


def _row(title: str, found: Apart) -> list[str]:
    return [title, f"{100 * found.differing:.1f} %", f"{found.largest:.1e}", str(found.classes)]


def _maps(session: fgcompile.Session, own: Mapping[str, Array], of_float: Mapping[str, Array]) -> str:
    alike = correlations(own["saliency"], of_float["saliency"])
    kinds = ", ".join(f"{kind} {100 * share:.1f} %" for kind, share in sorted(shares(session, own).items()))
    return "\n".join(
        [
            f"- Map beside the float network's, of the same class: correlation {np.median(alike):.3f} in the "
            f"median, {np.min(alike):.3f} at least.",
            f"- Share of the terms: {kinds}.",
            f"- Rounding of the score: {100 * of_score(session, own):.1f} %.",
        ]
    )


if __name__ == "__main__":
    main()
