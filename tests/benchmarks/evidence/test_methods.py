"""The methods compared: ours is the eager map, theirs what autograd says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.evidence.methods import METHODS
from benchmarks.evidence.subjects import Subject, of_fashion
from examples.vision_transformer.mosaics import Garments, load_samples


@pytest.fixture(scope="module")
def subject() -> Subject:
    samples = load_samples()
    return of_fashion(Garments(samples.images[::20], samples.labels[::20]))


def test_the_network_knows_its_data() -> None:
    samples = load_samples()
    subject = of_fashion(samples)
    assert (subject.logits(subject.images).argmax(1) == samples.labels.numpy()).mean() > 0.85


@pytest.mark.slow
def test_our_maps_are_those_of_eager_pytorch_and_of_the_authors(subject: Subject, tmp_path: Path) -> None:
    ours, eager, hooks = (
        METHODS[name].run(METHODS[name].make(subject, tmp_path), subject.images)[0]
        for name in ("fullgrad", "fullgrad-eager", "fullgrad-hooks")
    )
    for other in (eager, hooks):
        distances = np.abs(ours - other).max((1, 2)) / other.max((1, 2))
        assert np.median(distances) < 1e-5
        assert distances.max() < 0.05  # rounding flips a choice of a ReLU or of a pooling here and there


@pytest.mark.parametrize("name", ["input-gradient", "gradient-times-input"])
def test_gradients_are_autograds(subject: Subject, tmp_path: Path, name: str) -> None:
    pytest.importorskip("captum", reason="needs captum: pip install captum")
    found, _ = METHODS[name].run(METHODS[name].make(subject, tmp_path), subject.images)
    x = subject.network.prepare(torch.from_numpy(subject.images)).requires_grad_()
    (gradient,) = torch.autograd.grad(subject.network.model(x).amax(1).sum(), x)
    expected = (gradient if name == "input-gradient" else gradient * x).abs().sum(1).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


def test_random_maps_differ_from_image_to_image(subject: Subject, tmp_path: Path) -> None:
    found, _ = METHODS["random"].run(METHODS["random"].make(subject, tmp_path), subject.images)
    assert found.shape == (10, 28, 28)
    assert len(np.unique(found.reshape(10, -1), axis=0)) == 10
