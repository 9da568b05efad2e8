"""What users have today: eager PyTorch, the libraries built on it, and the one that differentiates ONNX graphs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.harness.once import once
from benchmarks.latency.functional_fullgrad import FunctionalFullGrad
from benchmarks.latency.runtimes import FORWARD, call_onnx, export_onnx
from benchmarks.latency.workload import Call, Candidate, Workload
from benchmarks.networks.torchvision_shim import define_missing_operators
from fgcompile.demo.eager_fullgrad import fullgrad_reference

STEPS = 50
"""Of integrated gradients: captum's default."""

STEPS_AT_ONCE = 10
"""Samples that integrated gradients passes through the network at once, to bound its memory; no fewer than a batch."""

EAGER = "eager PyTorch"


def eager_forward(workload: Workload) -> Call:
    """The plain model."""
    return torch.inference_mode()(partial(workload.network(), workload.inputs()))


def eager_gradient(workload: Workload) -> Call:
    """∂f/∂x by autograd and nothing else: neither biases nor a map."""
    network, x, target = workload.network(), workload.inputs(), workload.target()

    def call() -> Tensor:
        leaf = x.detach().requires_grad_()
        score = network(leaf.clone()).gather(1, target.view(-1, 1)).sum()
        return torch.autograd.grad(score, leaf)[0]

    return call


def hooks(workload: Workload) -> Call:
    """FullGrad as its authors compute it."""
    return partial(fullgrad_reference, workload.network(), workload.inputs(), workload.target())


def grad_cam(workload: Workload) -> Call:
    """FullGrad of pytorch-grad-cam."""
    define_missing_operators()  # before it imports torchvision
    import cv2
    from pytorch_grad_cam import FullGrad  # type: ignore[import-untyped]
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget  # type: ignore[import-untyped]

    cv2.setNumThreads(workload.threads)
    cam = FullGrad(workload.network(), target_layers=[])
    return partial(cam, workload.inputs(), [ClassifierOutputTarget(int(label)) for label in workload.target()])


def compiled(workload: Workload) -> Call:
    """The functional form of the authors' algorithm by ``torch.compile``, for one shape."""
    network, x, target = workload.network(), workload.inputs(), workload.target()
    function = torch.compile(FunctionalFullGrad(network, x, target).__call__, fullgraph=True, dynamic=False)
    function(x, target)  # compiles
    return partial(function, x, target)


def integrated_gradients(workload: Workload) -> Call:
    """Integrated gradients of captum: no full-gradient, but what many use."""
    from captum.attr import IntegratedGradients  # type: ignore[import-untyped]

    attribute = IntegratedGradients(workload.network()).attribute
    at_once = max(workload.batch, STEPS_AT_ONCE)
    x, target = workload.inputs(), workload.target()
    return partial(attribute, x, target=target, n_steps=STEPS, internal_batch_size=at_once)


def adjoint(workload: Workload) -> Path:
    """The ONNX forward and onnx-ad's adjoint of it, in one file."""

    def write(path: Path) -> None:
        import onnx
        from onnx_ad import reverse  # type: ignore[import-untyped]

        onnx.save(reverse(onnx.load(export_onnx(workload)), layout="onnx"), path)

    return once(workload.folder / f"adjoint-{workload.batch}.onnx", write)


def onnx_ad(workload: Workload) -> Call:
    """∂f/∂x by onnx-ad in ONNX Runtime, its seed the one-hot target: neither biases nor a map."""
    classes = workload.network()(workload.inputs(batch=1)).shape[1]
    seed = F.one_hot(workload.target(), classes)[..., None].float()
    feeds = [workload.inputs().cpu().numpy(), seed.cpu().numpy()]
    return call_onnx(adjoint(workload), feeds, workload, outputs=(0, 1))


def _note_completeness(workload: Workload, call: Call) -> str:
    """How far the terms are from adding up: those of activations and of layers without hooks are missing."""
    x = workload.inputs()
    reference = fullgrad_reference(workload.network(), x, workload.target())
    terms = [reference.input_gradient * x, *(delta * bias for delta, bias in reference.terms.values())]
    scale = torch.stack([term.flatten(1).sum(1) for term in terms]).abs().sum(0)
    error = float((reference.completeness_error / scale).max())
    return "" if error < 1e-3 else f"terms do not add up to the score: error {error:.0%} of the sum of their magnitudes"


def _note_layers(workload: Workload, call: Call) -> str:
    """How many of the terms of the hooks' map are not in pytorch-grad-cam's, which knows two types of layers."""
    network = workload.network()
    terms = fullgrad_reference(network, workload.inputs(), workload.target()).terms
    in_map = [name.partition(":")[0] for name, (delta, _) in terms.items() if delta.dim() == workload.inputs().dim()]
    known = [name for name in in_map if type(network.get_submodule(name)) in (nn.Conv2d, nn.BatchNorm2d)]
    return "" if len(known) == len(in_map) else f"map of {len(known)} of the {len(in_map)} layers in the hooks' map"


def _note_compiled(workload: Workload, call: Call) -> str:
    """The agreement with the hooks, and why those themselves were not compiled."""
    network, x, target = workload.network(), workload.inputs(), workload.target()
    saliency: Tensor = call()[1]  # type: ignore[index]
    agreement = _difference(saliency, fullgrad_reference(network, x, target).saliency)
    try:
        torch.compile(fullgrad_reference, fullgraph=True, backend="eager")(network, x, target)
    except torch._dynamo.exc.Unsupported as error:
        return f"functional form, since Dynamo does not take the one with hooks ({_cause(error)}){agreement}"
    return f"functional form{agreement}"


def _cause(error: Exception) -> str:
    """Dynamo's summary of what it does not support, and where that was met."""
    lines = [line.strip() for line in str(error).splitlines()]
    contexts = [line.partition(": ")[2] for line in lines if line.startswith("Developer debug context")]
    return "; ".join(lines[:1] + contexts)


def _note_gradient(workload: Workload, call: Call) -> str:
    """Whether onnx-ad's gradient is autograd's."""
    gradient = torch.as_tensor(call()[1][..., 0])  # type: ignore[index]
    return _difference(gradient, eager_gradient(workload)()).removeprefix("; ")  # type: ignore[arg-type]


def _difference(actual: Tensor, expected: Tensor) -> str:
    """A warning if a result is wrong; rounding that flips a choice of a ReLU or pooling moves it by some per cent."""
    difference = float((actual.cpu() - expected.cpu()).abs().max() / expected.abs().max())
    return "" if difference < 0.1 else f"; WRONG: differs from eager autograd by {difference:.0%} of the maximum"


EAGER_FORWARD = Candidate("eager.forward", FORWARD, EAGER, "forward", eager_forward)
"""What the rivals in eager PyTorch are compared with."""

RIVALS: dict[str, Candidate] = {
    rival.key: rival
    for rival in (
        Candidate("gradient", "input-gradient by autograd, no biases, no map", EAGER, "rival", eager_gradient),
        Candidate("hooks", "full-gradient with hooks", EAGER, "rival", hooks, note=_note_completeness),
        Candidate(
            "grad-cam",
            "FullGrad of pytorch-grad-cam",
            EAGER,
            "rival",
            grad_cam,
            note=_note_layers,
            packages=(("grad-cam", "pytorch_grad_cam"), ("opencv-python-headless", "cv2")),
        ),
        Candidate("compiled", "full-gradient by torch.compile", EAGER, "rival", compiled, note=_note_compiled),
        Candidate(
            "onnx-ad",
            "input-gradient by onnx-ad, no biases, no map",
            "ONNX Runtime",
            "rival",
            onnx_ad,
            adjoint,
            _note_gradient,
            devices=("cpu",),
            packages=(("onnx-ad", "onnx_ad"), ("onnxruntime", "onnxruntime")),
        ),
        Candidate(
            "integrated-gradients",
            f"integrated gradients of captum, {STEPS} steps",
            EAGER,
            "rival",
            integrated_gradients,
            packages=(("captum", "captum"),),
        ),
    )
}
"""By name on the command line."""
