"""FullGrad as its authors compute it: module hooks and autograd, in eager PyTorch.

What users have today, and so the baseline of the latency tables and the oracle of the tests. No stage of the compiler
uses it, and it uses none of them. The method is that of Srinivas and Fleuret, NeurIPS 2019 (arXiv:1905.00780), with the
post-processing of their published code (idiap/fullgrad-saliency). The bias of an activation is not among the terms, so
completeness and the map are the paper's for ReLU networks only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EPSILON = 1e-6
"""Added to the maximum in ψ, as the authors do."""

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
_CONVOLUTIONS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
)
_INTERPOLATION_MODES = {3: "linear", 4: "bilinear", 5: "trilinear"}


@dataclass(frozen=True)
class ReferenceExplanation:
    """The full-gradient of one score per sample and its map.

    Attributes:
        logits: The model's output, (N, K).
        saliency: The map, (N, 1, *spatial).
        input_gradient: ∂f/∂x, of the input's shape.
        terms: For each call of a layer with a bias, in call order, the gradient δ of the score with respect to the
            layer's output and the bias b, broadcastable to it; the term is ``δ * b``. The name is the layer's, with
            ``:2`` appended for its second call, and so on.
        completeness_error: ``|f − <∂f/∂x, x> − Σ <δ, b>|``, (N,).
    """

    logits: Tensor
    saliency: Tensor
    input_gradient: Tensor
    terms: Mapping[str, tuple[Tensor, Tensor]]
    completeness_error: Tensor


@dataclass
class _RecordedCalls:
    """The output and the bias of each call of a layer that has one, by the call's name."""

    outputs: dict[str, Tensor] = field(default_factory=dict)
    biases: dict[str, Tensor] = field(default_factory=dict)


def fullgrad_reference(model: nn.Module, x: Tensor, target: Tensor) -> ReferenceExplanation:
    """Computes ``S(x) = ψ(∂f/∂x ⊙ x) + Σ_l Σ_c ψ(δ_l ⊙ b_l)_c`` for ``f(x) = logits[n, target[n]]``.

    The sum runs over the layers whose output has the input's rank; the others enter the completeness error only.

    Args:
        model: A network in evaluation mode whose output is (N, K).
        x: The input, (N, C, *spatial), of the model's dtype.
        target: The explained classes, int64 (N,).

    Raises:
        ValueError: The model is in training mode, or a BatchNorm keeps no running statistics.
    """
    if model.training:
        raise ValueError("the model is in training mode; call model.eval() first")
    leaf = x.detach().requires_grad_()
    with torch.enable_grad(), _record_calls(model) as calls:
        logits: Tensor = model(leaf.clone())  # a clone, lest the first layer work in place on a leaf
        score = logits.gather(1, target.view(-1, 1)).squeeze(1)
    sources = [leaf, *calls.outputs.values()]
    gradients = torch.autograd.grad(score.sum(), sources, allow_unused=True, materialize_grads=True)
    input_gradient, deltas = gradients[0], gradients[1:]
    terms = {name: (delta, bias) for (name, bias), delta in zip(calls.biases.items(), deltas, strict=True)}

    input_term = input_gradient * x
    saliency = layer_map(input_term, x.shape[2:])
    total = input_term.flatten(1).sum(1)
    for delta, bias in terms.values():
        term = delta * bias
        total = total + term.flatten(1).sum(1)
        if term.dim() == x.dim():
            saliency = saliency + layer_map(term, x.shape[2:])
    return ReferenceExplanation(logits.detach(), saliency, input_gradient, terms, (score.detach() - total).abs())


def layer_map(term: Tensor, size: torch.Size) -> Tensor:
    """``Σ_c ψ(term)_c`` of one layer or of the input, resized to the input's ``size``: (N, 1, *size)."""
    rescaled = rescale(term)
    if term.shape[2:] != size:
        rescaled = F.interpolate(rescaled, size=size, mode=_INTERPOLATION_MODES[term.dim()], align_corners=True)
    return rescaled.sum(1, keepdim=True)


def rescale(term: Tensor) -> Tensor:
    """The authors' ψ before upsampling: ``(|t| − min) / (max(|t| − min) + ε)``, extrema over all of a sample."""
    term = term.abs()
    shape = (-1,) + (1,) * (term.dim() - 1)
    term = term - term.flatten(1).amin(1).view(shape)
    return term / (term.flatten(1).amax(1).view(shape) + EPSILON)


def layer_bias(module: nn.Module) -> Tensor | None:
    """The bias b of a layer ``y = W a + b`` as a vector, or None where the layer has none.

    A convolution's or BatchNorm's runs along axis 1 of the output, a linear layer's along the last. BatchNorm's, in
    evaluation mode, is the implicit ``β − μ γ / √(σ² + ε)``.
    """
    if isinstance(module, _BATCH_NORMS):
        if module.running_mean is None or module.running_var is None:
            raise ValueError(f"{module} keeps no running statistics, so its output depends on the batch")
        bias = -module.running_mean / torch.sqrt(module.running_var + module.eps)
        return (module.bias + bias * module.weight if module.affine else bias).detach()
    if isinstance(module, (*_CONVOLUTIONS, nn.Linear)) and module.bias is not None:
        return module.bias.detach()
    return None


@contextmanager
def _record_calls(model: nn.Module) -> Iterator[_RecordedCalls]:
    """Records, while open, what each layer with a bias returns; pairs by call, so a layer may be called repeatedly."""
    calls = _RecordedCalls()
    counts: Counter[str] = Counter()

    def record(name: str, bias: Tensor, along_last_axis: bool, output: Tensor) -> Tensor:
        counts[name] += 1
        call = name if counts[name] == 1 else f"{name}:{counts[name]}"
        calls.outputs[call] = output
        calls.biases[call] = bias if along_last_axis else bias.view(-1, *(1,) * (output.dim() - 2))
        return output.clone()  # the layers behind may work in place, and the recorded tensor must stay as it is

    handles = []
    for name, module in model.named_modules():
        bias = layer_bias(module)
        if bias is not None:
            record_call = partial(record, name, bias, isinstance(module, nn.Linear))
            handles.append(module.register_forward_hook(lambda _module, _args, output, f=record_call: f(output)))
    try:
        yield calls
    finally:
        for handle in handles:
            handle.remove()
