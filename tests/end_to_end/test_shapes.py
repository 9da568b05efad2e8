"""The trained detectors and the U-Net of examples/shapes: any box, query, pixel and region, asked at run time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import fgcompile
from examples.shapes.explain import mean_of_region
from examples.shapes.networks import load_trained
from examples.shapes.scenes import SIZE, Scenes, make_scenes
from fgcompile.runtime.session import Session, open_session

OUTPUTS = ("logits", "saliency", "contributions", "residual")


@pytest.fixture(scope="module")
def scenes() -> Scenes:
    return make_scenes(12, torch.Generator().manual_seed(3))


def session(name: str, scenes: Scenes, **options: Any) -> Session:
    artifact = fgcompile.compile(load_trained(name), scenes.images[:1], **{"outputs": OUTPUTS, **options})
    return open_session(artifact.content, artifact.metadata, name)


@pytest.mark.slow
def test_a_pixel_and_a_region_of_the_u_net_are_explained(scenes: Scenes) -> None:
    x = scenes.images.numpy()
    middle = (scenes.boxes[:, 0, :2] * SIZE).long()
    target = torch.stack([scenes.labels[:, 0] + 1, middle[:, 1], middle[:, 0]], 1).numpy()
    pixel = session("unet", scenes).explain(x, target)
    assert pixel.logits is not None
    assert pixel.contributions is not None
    score = pixel.logits[(np.arange(len(x)), *target.T)]
    np.testing.assert_allclose(pixel.contributions.sum(1), score, rtol=1e-3, atol=1e-3)
    predicted = pixel.logits.argmax(1)[np.arange(len(x)), target[:, 1], target[:, 2]]
    assert (predicted == target[:, 0]).mean() > 0.9
    masks = (scenes.regions > 0).float()
    of_region = session("unet", scenes, target=mean_of_region, score_inputs={"mask": masks[:1]})
    region = of_region.explain((x, masks.numpy()))
    assert region.contributions is not None
    expected = mean_of_region(torch.from_numpy(pixel.logits), masks)
    np.testing.assert_allclose(region.contributions.sum(1), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_the_best_candidate_of_the_detector_lies_on_its_shape_and_so_does_its_map(scenes: Scenes) -> None:
    x, kinds = scenes.images.numpy(), scenes.labels[:, 0].numpy()
    detector = session("retinanet", scenes, output="logits", outputs=("logits", "saliency", "model"))
    predicted = detector.predict(x)
    candidates = np.take_along_axis(predicted, kinds[:, None, None], 2)[..., 0].argmax(1)
    explanation = detector.explain(x, np.stack([candidates, kinds], 1))
    assert explanation.saliency is not None
    centres = explanation.outputs["boxes"][np.arange(len(x)), candidates, :2]
    near = np.abs(centres[:, None] - scenes.boxes[..., :2].numpy()).max(2).min(1)
    assert (near < 0.06).mean() > 0.8
    places = [np.unravel_index(each.argmax(), each.shape) for each in explanation.saliency[:, 0]]
    apart = np.abs(np.array(places)[:, ::-1] / SIZE - centres).max(1)
    assert (apart < 0.25).mean() > 0.7
