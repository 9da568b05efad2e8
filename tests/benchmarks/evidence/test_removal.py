"""Removing pixels by their saliency: which ones go, and what that does to a network whose output is a sum of pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from benchmarks.evidence.fashion import load_trained, prepare
from benchmarks.evidence.removal import FRACTIONS, fill_value, least, most, perturb, rank, remove
from benchmarks.networks.torchvision_shim import define_missing_operators
from examples.vision_transformer.mosaics import load_samples

IMAGES = np.random.default_rng(0).integers(1, 256, (3, 10, 20, 3), dtype=np.uint8)


def test_pixels_are_ranked_and_ties_broken_by_chance() -> None:
    maps = np.repeat(np.float32([[[0, 1], [1, 0]]]), 200, axis=0)
    order = rank(maps)
    assert (np.sort(order, 1) == np.arange(4)).all()
    np.testing.assert_array_equal(np.take_along_axis(maps.reshape(200, 4), order, 1), [[0, 0, 1, 1]] * 200)
    assert 60 < (order[:, 0] == 0).sum() < 140
    np.testing.assert_array_equal(order, rank(maps))


@pytest.mark.parametrize("choose", [least, most])
def test_as_many_pixels_as_asked_for_are_replaced_in_a_copy(choose: object) -> None:
    order = rank(np.random.default_rng(1).random((3, 10, 20), dtype=np.float32))
    pixels = choose(order, 0.07)  # type: ignore[operator]
    before = IMAGES.copy()
    removed = remove(IMAGES, pixels, np.zeros(3, np.uint8))
    np.testing.assert_array_equal(IMAGES, before)
    changed = (removed != IMAGES).any(3).reshape(3, -1)
    assert (changed.sum(1) == 14).all()
    assert all(set(np.flatnonzero(row)) == set(of) for row, of in zip(changed, pixels, strict=True))
    assert (removed[(removed != IMAGES).any(3)] == 0).all()


def test_the_mean_colour() -> None:
    np.testing.assert_allclose(fill_value(IMAGES, "mean"), IMAGES.reshape(-1, 3).mean(0), atol=0.5)


def test_changes_of_a_sum_are_what_was_removed() -> None:
    def logits(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        total = images.astype(np.float64).sum((1, 2, 3)) / 1e4
        return np.stack([total, -total], 1).astype(np.float32)

    values = IMAGES.astype(np.float64).sum(3).reshape(3, -1)
    found = perturb(logits, IMAGES, values.reshape(3, 10, 20).astype(np.float32), "black")
    ascending = np.sort(values, 1)
    for index, share in enumerate(FRACTIONS):
        count = round(share * 200)
        lost = ascending[:, :count].sum(1) / values.sum(1)
        np.testing.assert_allclose(found.least_logit[:, index], lost, rtol=1e-4)
        lost = ascending[:, 200 - count :].sum(1) / values.sum(1)
        np.testing.assert_allclose(found.most_logit[:, index], lost, rtol=1e-4)
    assert (found.most_logit >= found.least_logit).all()
    assert (found.insertion >= found.deletion).all()


def test_areas_under_a_constant_are_the_constant() -> None:
    def logits(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.tile(np.float32([np.log(3), 0]), (len(images), 1))

    found = perturb(logits, IMAGES, np.zeros((3, 10, 20), np.float32), "mean")
    np.testing.assert_allclose(found.deletion, 0.75, rtol=1e-6)
    np.testing.assert_allclose(found.insertion, 0.75, rtol=1e-6)
    assert not found.least_probability.any()


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])  # where their percentile and our rounding mean as many pixels
def test_changes_are_those_of_another_library(share: float) -> None:
    define_missing_operators()  # before it imports torchvision
    metrics = pytest.importorskip(
        "pytorch_grad_cam.metrics.perturbation_confidence", reason="needs grad-cam: pip install grad-cam"
    )
    samples = load_samples()
    images = samples.images[::25]
    maps = np.random.default_rng(2).permuted(np.tile(np.float32(np.arange(784) / 784), (len(images), 1)), axis=1)
    maps = maps.reshape(-1, 28, 28)
    network = load_trained()

    def logits(of: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.no_grad():
            return network(prepare(torch.from_numpy(of[..., 0]))).numpy()  # type: ignore[no-any-return]

    raw = images.unsqueeze(3).numpy()
    found = perturb(logits, raw, maps, "mean")
    colour = prepare(torch.from_numpy(fill_value(raw, "mean")).reshape(1, 1, 1))[0]
    whole = logits(raw)
    targets = [lambda output, chosen=chosen: output[chosen] for chosen in whole.argmax(1)]
    index = FRACTIONS.index(share)
    for ours, first in (
        (found.least_logit, metrics.RemoveLeastRelevantFirst),
        (found.most_logit, metrics.RemoveMostRelevantFirst),
    ):
        perturbation = first(100 * (1 - share), lambda image, kept: torch.where(kept > 0, image, colour))
        theirs = metrics.PerturbationConfidenceMetric(perturbation)(prepare(images), maps, targets, network)
        np.testing.assert_allclose(ours[:, index], np.abs(theirs) / np.abs(whole.max(1)), rtol=1e-4, atol=1e-5)
