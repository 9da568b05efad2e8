"""The methods compared: ours as compiled artifacts in ONNX Runtime, the others by the libraries that people use.

Each makes of raw images, uint8 ``(N, H, W, C)``, the maps ``(N, H, W)`` of their predicted classes. A method with a
value for each channel of a pixel gives the sum of the channels' magnitudes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import fgcompile
from benchmarks.evidence.subjects import Images, Subject
from benchmarks.networks.photo_artifacts import compile_for_photos
from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.compiler import pipeline
from fgcompile.compiler.fullgrad.eager import evaluate_outputs
from fgcompile.compiler.request import Request
from fgcompile.demo.eager_fullgrad import fullgrad_reference

Maps = NDArray[np.float32]
Explain = Callable[[Images], Maps]

SAMPLES = 25
"""Noisy copies of SmoothGrad and of smooth FullGrad, as in the FullGrad authors' code."""

SPREAD = 0.15
"""The noise's standard deviation, relative to the distance of black and white; in FullGrad's, to its range."""

STEPS = 50
"""Of integrated gradients: captum's default."""


@dataclass(frozen=True)
class Method:
    """A method by name.

    Attributes:
        label: In tables and plots.
        make: Prepares it for a subject; a folder takes files.
        at_once: How many images it explains at once.
        shown: Whether it is among the methods compared, not a check of one.
    """

    label: str
    make: Callable[[Subject, Path], Explain]
    at_once: int = 10
    shown: bool = True

    def run(self, explain: Explain, images: Images) -> tuple[Maps, float]:
        """The maps of all images, and the seconds of CPU time that each took."""
        explain(images[: self.at_once])  # a warm-up
        began = time.process_time()
        parts = [explain(images[i : i + self.at_once]) for i in range(0, len(images), self.at_once)]
        return np.concatenate(parts), (time.process_time() - began) / len(images)


def _fullgrad(subject: Subject, folder: Path) -> Explain:
    return lambda images: subject.session.explain(images).saliency[:, 0]


def _artifact(subject: Subject, folder: Path, **options: Any) -> Explain:
    path = compile_for_photos(subject.network, folder / "artifact.onnx", **options)
    session = fgcompile.load(path, threads=torch.get_num_threads())
    return lambda images: session.explain(images).saliency[:, 0]


def _eager(subject: Subject, folder: Path) -> Explain:
    """FullGrad in float64 on the captured graph, before anything is folded, fused or lowered."""
    exposed = pipeline.expose_biases(
        subject.network.model.double(), torch.zeros(2, *subject.network.input_shape).double()
    )
    subject.network.model.float()

    def explain(images: Images) -> Maps:
        x = subject.network.prepare(torch.from_numpy(images)).double()
        chosen = torch.full((len(x),), -1)
        return (
            evaluate_outputs(exposed, Request(psi="fullgrad"), [x], chosen, torch.float64)["saliency"][:, 0]
            .float()
            .numpy()
        )

    return explain


def _hooks(subject: Subject, folder: Path) -> Explain:
    return _by_target(subject, lambda x, target: fullgrad_reference(subject.network.model, x, target).saliency)


def _input_gradient(subject: Subject, folder: Path) -> Explain:
    from captum.attr import Saliency  # type: ignore[import-untyped]

    return _by_target(subject, lambda x, target: Saliency(subject.network.model).attribute(x, target=target))


def _gradient_times_input(subject: Subject, folder: Path) -> Explain:
    from captum.attr import InputXGradient

    return _by_target(subject, lambda x, target: InputXGradient(subject.network.model).attribute(x, target=target))


def _integrated_gradients(subject: Subject, folder: Path) -> Explain:
    """From a black image."""
    from captum.attr import IntegratedGradients

    attribute = IntegratedGradients(subject.network.model).attribute
    black = subject.network.prepare(torch.zeros_like(torch.from_numpy(subject.images[:1])))
    return _by_target(
        subject,
        lambda x, target: attribute(x, black, target=target, n_steps=STEPS, internal_batch_size=STEPS),
    )


def _smooth_gradient(subject: Subject, folder: Path) -> Explain:
    from captum.attr import NoiseTunnel, Saliency

    attribute = NoiseTunnel(Saliency(subject.network.model)).attribute
    noise = SPREAD / min(subject.network.std)

    def explain(x: Tensor, target: Tensor) -> Tensor:
        torch.manual_seed(0)
        smooth: Tensor = attribute(x, nt_samples=SAMPLES, stdevs=noise, target=target, abs=False)
        return smooth

    return _by_target(subject, explain)


def _grad_cam(subject: Subject, folder: Path) -> Explain:
    define_missing_operators()  # before it imports torchvision
    from pytorch_grad_cam import GradCAM  # type: ignore[import-untyped]

    cam = GradCAM(subject.network.model, [subject.layer])
    return lambda images: cam(subject.network.prepare(torch.from_numpy(images)), None)  # of the predicted classes


def _random(subject: Subject, folder: Path) -> Explain:
    generator = np.random.default_rng(0)
    return lambda images: generator.random(images.shape[:3], dtype=np.float32)


def _by_target(subject: Subject, attribute: Callable[[Tensor, Tensor], Tensor]) -> Explain:
    """The magnitudes of attributions ``(N, C, H, W)`` to the predicted class, summed over channels."""

    def explain(images: Images) -> Maps:
        x = subject.network.prepare(torch.from_numpy(images))
        with torch.no_grad():
            target = subject.network.model(x).argmax(1)
        maps: Maps = attribute(x, target).detach().abs().sum(1).float().numpy()
        return maps

    return explain


METHODS: Mapping[str, Method] = {
    "fullgrad": Method("FullGrad", _fullgrad),
    "fullgrad-grad-cam": Method("FullGrad, preset grad-cam", partial(_artifact, psi="grad-cam")),
    "simple-fullgrad": Method("simple FullGrad", partial(_artifact, method="simple_fullgrad")),
    "smooth-fullgrad": Method("smooth FullGrad", partial(_artifact, method="smooth_fullgrad"), at_once=1),
    "grad-cam": Method("Grad-CAM", _grad_cam),
    "integrated-gradients": Method("integrated gradients", _integrated_gradients, at_once=1),
    "smooth-gradient": Method("SmoothGrad", _smooth_gradient, at_once=2),
    "gradient-times-input": Method("gradient × input", _gradient_times_input),
    "input-gradient": Method("input-gradient", _input_gradient),
    "random": Method("random", _random, at_once=1000),
    "fullgrad-eager": Method("FullGrad, eager float64", _eager, shown=False),
    "fullgrad-hooks": Method("FullGrad, its authors' algorithm", _hooks, shown=False),
}
"""By name on the command line."""
