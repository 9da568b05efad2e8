"""``results/evidence.md`` and its figures, made of all results."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.evidence.figures import Band, draw_bands
from benchmarks.evidence.intervals import student
from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.removal import FRACTIONS
from benchmarks.evidence.subjects import SUBJECTS
from benchmarks.harness.environment import markdown_table
from benchmarks.harness.records import Result, Store, describe

COLUMNS = (0.01, 0.03, 0.05, 0.07, 0.1)
"""The shares of removed pixels that tables show, as independent reproductions of the paper do."""

LEGEND = """\
- *1 %* to *10 %*: with so many of the pixels that the map calls **least** salient replaced, `|f(x_k) − f(x)| / |f(x)|`,
  f the logit of the class that is predicted for the whole image; smaller is better. *Deletion* and *insertion* are
  areas under its probability: as the **most** salient pixels go first (smaller is better), and as they come first into
  an image of nothing but the replacement (larger is better).
- ±: half of the 95 % confidence interval of the mean over images (percentile bootstrap).
- *FullGrad* and its variants are compiled artifacts in ONNX Runtime. The other methods come from captum and grad-cam,
  in eager PyTorch: integrated gradients in 50 steps from black; SmoothGrad and smooth FullGrad of 25 noisy copies,
  σ = 15 % of the range. A pixel's value is the sum of its channels' magnitudes. Ties are broken by chance.
- *ms*: CPU time of one image on one thread, forward pass included.
- The last two rows are no methods but checks: the same map in eager PyTorch in float64, and as the authors' own
  algorithm computes it with hooks, which leaves out the biases of activations other than ReLU."""

EXAMPLES_LEGEND = """\
The first images of each set, none chosen. Each map is scaled by itself: black at
its smallest value, bright from its 99.5th percentile on."""

RETRAINING_LEGEND = """\
- Test accuracy of new networks, trained and tested without the pixels that a method calls **most** salient; smaller is
  better. Removed pixels are of the mean colour. ±: half of the 95 % confidence interval over the seeds (Student's t).
- *mask alone*: a network that sees nothing but which 50 % of the pixels were removed, black and white.
- *images/s*: how many are explained in a second of one core."""

SANITY_LEGEND = """\
- Spearman's rank correlation of the maps of 200 images of Fashion-MNIST before and after; nearer 0 is better. The
  columns are the layers, last first: each has lost its trained weights, and so have those to its left.
- *labels*: the maps of two networks, one that learnt the true labels of these images by heart, one labels of chance."""

FINDINGS = Path(__file__).with_name("findings.md")
"""What the figures say, in words."""


PACKAGES = ("torch", "onnxruntime", "captum", "grad-cam", "opencv-python-headless")
"""Whose versions are kept beside each result."""


def PERTURBATION(folder: Path) -> Store:  # noqa: N802 - reads as the constant that it nearly is
    """The results of the pixel perturbation in a folder."""
    return Store(folder / "pixel_perturbation.jsonl", ("subject", "method", "fill", "images"), PACKAGES)


def RETRAINING(folder: Path) -> Store:  # noqa: N802 - likewise
    """The results of removing and retraining in a folder."""
    kind = ("method", "share", "seed", "seen", "train", "test", "epochs")
    return Store(folder / "remove_and_retrain.jsonl", kind, PACKAGES)


def SANITY(folder: Path) -> Store:  # noqa: N802 - likewise
    """The results of the sanity checks in a folder."""
    return Store(folder / "sanity_checks.jsonl", ("check", "method", "step"), PACKAGES)


def write_report(folder: Path) -> None:
    """Writes ``evidence.md`` and the figures that it shows."""
    results = PERTURBATION(folder).read()
    retrained = RETRAINING(folder).read()
    parts = ["# Evidence: do the maps say what the model does?", FINDINGS.read_text().strip()]
    parts += _examples(folder)
    if results:
        parts += [
            "## Pixel perturbation",
            describe(results, "python -m benchmarks.evidence.pixel_perturbation"),
            LEGEND,
        ]
        parts += _perturbations(folder, results)
    if retrained:
        parts += [
            "## Remove and retrain",
            describe(retrained, "python -m benchmarks.evidence.remove_and_retrain"),
            RETRAINING_LEGEND,
        ]
        parts += _retrainings(folder, retrained)
    if checked := SANITY(folder).read():
        parts += [
            "## Sanity checks",
            describe(checked, "python -m benchmarks.evidence.sanity_checks"),
            SANITY_LEGEND,
            _sanity(checked),
        ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "evidence.md").write_text("\n\n".join(parts) + "\n")


def maps_file(folder: Path, subject: str) -> Path:
    """The picture of example maps of a subject."""
    return folder / f"maps-{subject}.jpg"


def _examples(folder: Path) -> list[str]:
    pictures = [file for name in SUBJECTS if (file := maps_file(folder, name)).exists()]
    if not pictures:
        return []
    parts = ["## The maps themselves", "Command: `python -m benchmarks.evidence.example_maps`. " + EXAMPLES_LEGEND]
    return parts + [f"![maps of all methods on the same images]({file.name})" for file in pictures]


def _perturbations(folder: Path, results: Sequence[Result]) -> list[str]:
    parts = []
    ordered = sorted(results, key=lambda result: (result["fill"], list(METHODS).index(result["method"])))
    subjects = list(dict.fromkeys(result["subject"] for result in results))
    for subject in subjects:
        of_subject = [result for result in ordered if result["subject"] == subject]
        for (fill, images), group in groupby(of_subject, key=lambda result: (result["fill"], result["images"])):
            rows = list(group)
            name = f"perturbation-{subject}-{fill}"
            parts += [f"### {subject}, {images} images, removed pixels {fill}", _table(rows)]
            if difference := _agreement(rows):
                parts.append(difference)
            _draw(folder / name, rows)
            parts.append(f"![curves]({name}.png)")
    return parts


def _table(rows: Sequence[Result]) -> str:
    header = ["method", *(f"{share:.0%}" for share in COLUMNS), "deletion", "insertion", "ms"]
    cells = []
    for row in rows:
        changes = [row["least_logit"][FRACTIONS.index(share)] for share in COLUMNS]
        areas = (row["deletion"][0], row["insertion"][0])
        figures = [*(_plus_minus(found, 4) for found in changes), *map(_plus_minus, areas)]
        cells.append([METHODS[row["method"]].label, *figures, f"{1000 * row['seconds']:.3g}"])
    return markdown_table(header, cells)


def _agreement(rows: Sequence[Result]) -> str | None:
    """How far the artifact's curves are from those of the eager model's map."""
    by_method = {row["method"]: row for row in rows}
    if not {"fullgrad", "fullgrad-eager"} <= set(by_method):
        return None
    ours, eager = by_method["fullgrad"], by_method["fullgrad-eager"]
    names = ("least_logit", "least_probability", "most_logit", "most_probability", "deletion", "insertion")
    pairs = [pair for name in names for pair in zip(ours[name], eager[name], strict=True)]
    largest = max(abs(a[0] - b[0]) for a, b in pairs)
    return f"Largest difference between the curves of the artifact's map and of the eager one: {largest:.1e}."


def _retrainings(folder: Path, results: Sequence[Result]) -> list[str]:
    parts = []
    for setting in dict.fromkeys((r["train"], r["test"], r["epochs"]) for r in results):
        of_setting = [r for r in results if (r["train"], r["test"], r["epochs"]) == setting]
        rows = [r for r in of_setting if r["seen"] == "image"]
        masks = {r["method"]: r for r in of_setting if r["seen"] == "mask"}
        shares = sorted({r["share"] for r in rows if r["share"]})
        whole = student([r["accuracy"] for r in rows if not r["share"]])
        curves: dict[str, Band] = {}
        cells = []
        for method in (name for name in METHODS if any(r["method"] == name for r in rows)):
            of_method = [r for r in rows if r["method"] == method]
            known = {s: found for s in shares if (found := [r["accuracy"] for r in of_method if r["share"] == s])}
            curves[METHODS[method].label] = Band([0, *known], [whole, *(student(found) for found in known.values())])
            speed = max(r["images_per_second"] for r in of_method)
            figures = [_plus_minus(student(known[s])) if s in known else "" for s in shares]
            alone = f"{masks[method]['accuracy']:.3f}" if method in masks else ""
            cells.append([METHODS[method].label, *figures, alone, f"{speed:,.0f}"])
        train, test, epochs = setting
        seeds = len({r["seed"] for r in rows})
        title = f"{train:,} training images, {test:,} test images, {epochs} epochs, {seeds} seeds"
        name = f"retraining-{train}"
        panels = {"most salient removed: accuracy after retraining": curves}
        draw_bands(folder / name, panels, "pixels removed, %", title, bottom=None)
        parts += [
            f"### {title}",
            f"On whole images: {_plus_minus(whole)}.",
            markdown_table(["method", *(f"{s} %" for s in shares), "mask alone", "images/s"], cells),
            f"![curves]({name}.png)",
        ]
    return parts


def _sanity(results: Sequence[Result]) -> str:
    steps = list(dict.fromkeys(r["step"] for r in results))
    by_method = {name: [r for r in results if r["method"] == name] for name in METHODS}
    rows = [
        [METHODS[name].label, *(_plus_minus(r["correlation"]) for step in steps for r in found if r["step"] == step)]
        for name, found in by_method.items()
        if found
    ]
    return markdown_table(["method", *steps], rows)


def _plus_minus(found: Sequence[float], digits: int = 3) -> str:
    mean, low, high = found
    return f"{mean:.{digits}f} ± {(high - low) / 2:.{digits}f}"


def _draw(path: Path, rows: Sequence[Result]) -> None:
    shown = [row for row in rows if METHODS[row["method"]].shown]
    few, all_shares = slice(0, 10), slice(None)
    panels: dict[str, dict[str, Band]] = {}
    for title, key, part in (
        ("least salient first: change of the logit", "least_logit", few),
        ("least salient first: change of the logit, to 90 %", "least_logit", all_shares),
        ("most salient first: change of the probability", "most_probability", all_shares),
    ):
        panels[title] = {
            METHODS[row["method"]].label: Band([100 * share for share in FRACTIONS[part]], row[key][part])
            for row in shown
        }
    subject, images, fill = (rows[0][key] for key in ("subject", "images", "fill"))
    draw_bands(path, panels, "pixels removed, %", f"{subject}: {images} images, removed pixels {fill}")
