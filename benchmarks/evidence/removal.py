"""Removing pixels by their saliency, and what that does to the output of a network.

Pixel perturbation is the paper's first test (arXiv:1905.00780, section 5.1): of an image the ``k`` per cent of pixels
that a map calls least salient are replaced, and the output of the predicted class should hardly change,

    ``|f(x_k) − f(x)| / |f(x)|``.

Deletion and insertion (Petsiuk et al., BMVC 2018, arXiv:1806.07421) are the areas under the probability of the
predicted class, as the most salient pixels go first, or come first into an image of nothing but the replacement.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.evidence.subjects import Images

Array = NDArray[np.float64]
Order = NDArray[np.int64]

FRACTIONS = (*(k / 100 for k in range(1, 11)), *(k / 100 for k in range(20, 100, 10)))
"""The shares of pixels that are removed: 1 to 10 per cent in ones, then to 90 in tens."""

FILLS = ("black", "mean")
"""What replaces a pixel: 0, or the mean colour of all images."""


def rank(maps: NDArray[np.float32], seed: int = 0) -> Order:
    """The pixels of each map, ``(N, H, W)`` to ``(N, H · W)``, least salient first; ties in an order of chance."""
    flat = maps.reshape(len(maps), -1)
    chance = np.random.default_rng(seed).random(flat.shape)
    return np.lexsort((chance, flat), axis=1)


def fill_value(images: Images, fill: str) -> NDArray[np.uint8]:
    """The colour ``(C,)`` of removed pixels."""
    if fill == "black":
        return np.zeros(images.shape[3], np.uint8)
    return images.mean((0, 1, 2)).round().astype(np.uint8)


def remove(images: Images, pixels: Order, colour: NDArray[np.uint8]) -> Images:
    """Copies of images ``(N, H, W, C)`` in which some pixels of each, ``(N, P)``, are of a colour."""
    flat = images.reshape(len(images), -1, images.shape[3]).copy()
    flat[np.arange(len(flat))[:, None], pixels] = colour
    return flat.reshape(images.shape)


def least(order: Order, fraction: float) -> Order:
    """The share of pixels that are least salient."""
    return order[:, : round(fraction * order.shape[1])]


def most(order: Order, fraction: float) -> Order:
    """The share of pixels that are most salient."""
    return order[:, order.shape[1] - round(fraction * order.shape[1]) :]


@dataclass(frozen=True)
class Perturbation:
    """What removing pixels does, for each image and each of ``FRACTIONS``.

    Attributes:
        least_logit: The fractional change of the predicted class's logit, least salient pixels first, ``(N, K)``.
        least_probability: Likewise of its probability.
        most_logit: Likewise, most salient pixels first.
        most_probability: Likewise.
        deletion: The area under the probability as the most salient pixels go first, ``(N,)``.
        insertion: Likewise as they come first.
    """

    least_logit: Array
    least_probability: Array
    most_logit: Array
    most_probability: Array
    deletion: Array
    insertion: Array


def perturb(
    logits: Callable[[Images], NDArray[np.float32]], images: Images, maps: NDArray[np.float32], fill: str
) -> Perturbation:
    """Removes pixels in the order of maps and measures the output of the class that is predicted for the whole image.

    Args:
        logits: The network, from images to ``(N, K)``.
        images: uint8 ``(N, H, W, C)``.
        maps: ``(N, H, W)``.
        fill: One of ``FILLS``.
    """
    order, colour = rank(maps), fill_value(images, fill)
    whole = logits(images)
    predicted = whole.argmax(1)

    def without(pixels: Order) -> Array:
        return _output(logits(remove(images, pixels, colour)), predicted)

    before, nothing = _output(whole, predicted), without(order)
    shares = {*FRACTIONS, *(round(1 - k, 2) for k in FRACTIONS)}
    removed = {k: without(least(order, k)) for k in sorted(shares)}
    least_first = np.stack([removed[k] for k in FRACTIONS], 1)
    most_first = np.stack([without(most(order, k)) for k in FRACTIONS], 1)
    inserted = [removed[round(1 - k, 2)][1] for k in FRACTIONS]
    least_change, most_change = (
        np.abs(after - before[:, None]) / np.abs(before[:, None]) for after in (least_first, most_first)
    )
    axis = np.array([0.0, *FRACTIONS, 1.0])
    deletion = np.stack([before[1], *most_first[1], nothing[1]], 1)
    insertion = np.stack([nothing[1], *inserted, before[1]], 1)
    return Perturbation(
        least_change[0].T,
        least_change[1].T,
        most_change[0].T,
        most_change[1].T,
        np.trapezoid(deletion, axis, axis=1),
        np.trapezoid(insertion, axis, axis=1),
    )


def _output(logits: NDArray[np.float32], predicted: NDArray[np.int64]) -> Array:
    """The logit and the probability of the predicted class, ``(2, N)``."""
    values = logits.astype(np.float64)
    shifted = np.exp(values - values.max(1, keepdims=True))
    rows = np.arange(len(values))
    return np.stack([values[rows, predicted], shifted[rows, predicted] / shifted.sum(1)])
