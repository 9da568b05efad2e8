"""Activations by element, and along an axis: those of ``torch.nn.functional``, whole, wherever it has them."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from fgcompile.compiler.capture.onnx.operators.elementwise import unary
from fgcompile.compiler.capture.onnx.operators.operator import Operator

_SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def leaky_relu(x: Tensor, *, alpha: float = 0.01) -> Tensor:
    return functional.leaky_relu(x, alpha)


def prelu(x: Tensor, slope: Tensor) -> Tensor:
    """``x`` or, below zero, ``slope · x``; PyTorch's own where there is one slope, or one for each channel."""
    if slope.numel() == 1:
        return functional.prelu(x, slope.reshape(1))
    by_channel = x.ndim > 1 and slope.shape == (slope.shape[0], *[1] * (x.ndim - 2))
    if by_channel and slope.ndim == x.ndim - 1:
        return functional.prelu(x, slope.reshape(-1))
    return torch.where(x < 0, slope * x, x)


def elu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return functional.elu(x, alpha)


def celu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return functional.celu(x, alpha)


def selu(x: Tensor, *, alpha: float = _SELU[0], gamma: float = _SELU[1]) -> Tensor:
    """``γ x`` or, below zero, ``γ α (eˣ − 1)``."""
    if math.isclose(alpha, _SELU[0], rel_tol=1e-6) and math.isclose(gamma, _SELU[1], rel_tol=1e-6):
        return functional.selu(x)
    return gamma * functional.elu(x, alpha)


def gelu(x: Tensor, *, approximate: str = "none") -> Tensor:
    return functional.gelu(x, approximate=approximate)


def swish(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    """``x σ(α x)``."""
    return functional.silu(x) if alpha == 1 else x * torch.sigmoid(alpha * x)


def hard_sigmoid(x: Tensor, *, alpha: float = 0.2, beta: float = 0.5) -> Tensor:
    """``min(max(α x + β, 0), 1)``."""
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return functional.hardsigmoid(x)
    return functional.hardtanh(alpha * x + beta, 0.0, 1.0)


def thresholded_relu(x: Tensor, *, alpha: float = 1.0) -> Tensor:
    return functional.threshold(x, alpha, 0.0)


def shrink(x: Tensor, *, bias: float = 0.0, lambd: float = 0.5) -> Tensor:
    """``x + bias`` below ``−λ``, ``x − bias`` above ``λ``, and zero between them."""
    if bias == 0 and x.is_floating_point():
        return functional.hardshrink(x, lambd)
    if bias == lambd and x.is_floating_point():
        return functional.softshrink(x, lambd)
    below = torch.where(x < -lambd, x + bias, torch.zeros_like(x))
    return torch.where(x > lambd, x - bias, below).to(x.dtype)


def softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return functional.softmax(x, axis)


def log_softmax(x: Tensor, *, axis: int = -1) -> Tensor:
    return functional.log_softmax(x, axis)


def hardmax(x: Tensor, *, axis: int = -1) -> Tensor:
    """One at the first of the largest along an axis, zero elsewhere."""
    largest = x.argmax(axis, keepdim=True)
    places = torch.arange(x.shape[axis], device=x.device).reshape([-1] + [1] * (x.ndim - 1 - axis % x.ndim))
    return (places == largest).to(x.dtype)


ACTIVATIONS: dict[str, Operator] = {
    "Celu": Operator(celu),
    "Elu": Operator(elu),
    "Gelu": Operator(gelu),
    "HardSigmoid": Operator(hard_sigmoid),
    "HardSwish": unary(functional.hardswish),
    "Hardmax": Operator(hardmax),
    "LeakyRelu": Operator(leaky_relu),
    "LogSoftmax": Operator(log_softmax),
    "Mish": unary(functional.mish),
    "PRelu": Operator(prelu),
    "Relu": unary(torch.relu),
    "Selu": Operator(selu),
    "Shrink": Operator(shrink),
    "Sigmoid": unary(torch.sigmoid),
    "Softmax": Operator(softmax),
    "Softplus": unary(functional.softplus),
    "Softsign": unary(functional.softsign),
    "Swish": Operator(swish),
    "Tanh": unary(torch.tanh),
    "ThresholdedRelu": Operator(thresholded_relu),
}
