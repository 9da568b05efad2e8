"""Explains the trained network under each rule set, and measures what lies where the evidence is known to lie.

    python -m examples.vision_transformer.explain          (needs fgcompile[compile,cpu] and matplotlib)

It compiles to ONNX three times, explains one mosaic of each of the 200 sample garments, prints the numbers of
docs/transformers.md, and draws maps.png beside this file. It needs neither the data set nor any training.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import torch
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import fgcompile
from examples.vision_transformer.mosaics import CLASSES, Mosaics, load_samples, make_mosaics
from examples.vision_transformer.network import FOLDER, load_trained
from examples.vision_transformer.relevance import by_place, by_token

Array = NDArray[np.float32]

RULES = ("taylor", "libragrad", "attnlrp")
OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
PICTURE = FOLDER / "maps.png"
SHOWN = (0, 20, 60, 100, 140, 160)  # the first of six classes; the samples are sorted by class, 20 each


def explain(mosaics: Mosaics, rules: str) -> fgcompile.Explanation:
    """Compiles to ONNX and explains the predicted classes in one call; prints what the compiler warns of."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", fgcompile.RulesWarning)
        artifact = fgcompile.compile(
            load_trained(), mosaics.images[:2], rules=rules, psi="fullgrad", outputs=OUTPUTS, labels=CLASSES
        )
    for warning in caught:
        print(f"{warning.category.__name__}: {warning.message}\n")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        artifact.save(path)
        return fgcompile.load(path).explain(mosaics.images.numpy())


def localize(maps: Array, evidence: Array) -> str:
    """The share of a non-negative map in the garment's quadrant (mean), and how often its maximum lies there."""
    flat, inside = maps.reshape(len(maps), -1), evidence.reshape(len(maps), -1)
    mass = (flat * inside).sum(axis=1) / flat.sum(axis=1)
    hits = np.take_along_axis(inside, flat.argmax(axis=1)[:, None], axis=1)
    return f"{mass.mean():.0%} | {hits.mean():.0%}"


def print_shares(tokens: dict[str, Array], scores: Array, on_garment: Array) -> None:
    """Prints which share of the score lies on the garment, on the clutter, and on the class token."""
    print("\n| | garment | clutter | class token |\n| --- | --- | --- | --- |")
    for rules in RULES:
        places = tokens[rules][:, 1:]
        parts = ((places * on_garment).sum(axis=1), (places * (1 - on_garment)).sum(axis=1), tokens[rules][:, 0])
        print(f"| `{rules}` |", " | ".join(f"{np.median(part / scores):.1%}" for part in parts), "|")


def print_maps(explanations: dict[str, fgcompile.Explanation], tokens: dict[str, Array], mosaics: Mosaics) -> None:
    """Prints how well magnitudes point at the garment."""
    evidence = mosaics.evidence().numpy()
    on_garment = by_place(evidence[:, :, ::7, ::7])
    print("\n| map | mass on the garment | maximum on the garment |\n| --- | --- | --- |\n| chance | 25% | 25% |")
    for rules in RULES:
        product = np.abs(explanations[rules].input_gradient * mosaics.images.numpy())
        print(f"| FullGrad map, `{rules}` | {localize(explanations[rules].saliency, evidence)} |")
        print(f"| input × gradient, `{rules}` | {localize(product, evidence)} |")
        print(f"| signed sum, positive part, `{rules}` | {localize(tokens[rules][:, 1:].clip(min=0), on_garment)} |")


def draw(mosaics: Mosaics, explanations: dict[str, fgcompile.Explanation], tokens: dict[str, Array]) -> None:
    """Images and maps in rows; a frame is the garment's quadrant.

    Each FullGrad map has a scale of its own. Signed sums have one for all: red adds to the score, blue takes from it,
    and the strongest colour is a fifth of the score.
    """
    figure, axes = plt.subplots(1 + 2 * len(RULES), len(SHOWN), figsize=(8, 9.5), layout="constrained")
    for column, index in enumerate(SHOWN):
        score = explanations["taylor"].logits[index].max()
        pictures = [("mosaic", mosaics.images[index, 0].numpy(), {"cmap": "gray"})]
        for rules in RULES:
            pictures.append((f"FullGrad map\n{rules}", explanations[rules].saliency[index, 0], {"cmap": "inferno"}))
        for rules in RULES:
            share = np.kron(tokens[rules][index, 1:].reshape(8, 8) / score, np.ones((7, 7)))
            pictures.append((f"signed sum\n{rules}", share, {"cmap": "RdBu_r", "vmin": -0.2, "vmax": 0.2}))
        for (name, values, style), axis in zip(pictures, axes[:, column], strict=True):
            axis.imshow(values, **style)
            row, side = divmod(int(mosaics.quadrants[index]), 2)
            axis.add_patch(Rectangle((28 * side - 0.5, 28 * row - 0.5), 28, 28, fill=False, color="limegreen"))
            axis.set(xticks=[], yticks=[], ylabel="" if column else name)
        predicted, label = CLASSES[int(explanations["taylor"].target[index])], CLASSES[int(mosaics.labels[index])]
        axes[0, column].set_title(label if predicted == label else f"{label} (taken for {predicted})", fontsize=9)
    figure.savefig(PICTURE, dpi=100)


def main() -> None:
    """Compiles, explains, measures, draws."""
    mosaics = make_mosaics(load_samples(), torch.Generator().manual_seed(0))
    images = mosaics.images.numpy()
    explanations = {rules: explain(mosaics, rules) for rules in RULES}
    tokens = {rules: by_token(images, e.input_gradient, e.bias_gradients) for rules, e in explanations.items()}
    right = explanations["taylor"].target == mosaics.labels.numpy()
    print(f"{len(right)} mosaics, {right.mean():.1%} classified rightly")
    for rules, explanation in explanations.items():
        error = np.abs(explanation.residual) / np.abs(explanation.contributions).sum(axis=1)
        print(f"{rules}: terms add up to the score within {error.max():.1e} of their magnitude")
    scores = explanations["taylor"].logits.max(axis=1)
    print_shares(tokens, scores, by_place(mosaics.evidence().numpy()[:, :, ::7, ::7]))
    print_maps(explanations, tokens, mosaics)
    draw(mosaics, explanations, tokens)


if __name__ == "__main__":
    main()
