"""Formulas for biases that depend on the input, for families that share one: from one VJP, from two, from zero."""

from __future__ import annotations

import torch
from torch import Tensor

from fgcompile.compiler.biases.rule import Application, Formula, Implicit
from fgcompile.compiler.ir.complex_numbers import inner_product
from fgcompile.compiler.ir.torch_internals import OpOverload


def elementwise(application: Application) -> Tensor:
    """``b = y − Σ_i g_i′(a) a_i`` for ``g`` that acts on each element alone; ``g_i′`` from one VJP with ones.

    The paper's implicit bias of a non-linearity, ``η(z) − η′(z) z``. An operand that is broadcast has one slope for
    each element of ``y``. Of a complex number the slope is a matrix, which the general form has.
    """
    if any(operand.is_complex() for operand in application.operands):
        return double_vjp(application)
    shape = application.output.shape
    with torch.enable_grad():
        operands = tuple(operand.detach().expand(shape).requires_grad_() for operand in application.operands)
        output = application.function(*operands)
        slopes = torch.autograd.grad(output, operands, torch.ones_like(output))
    products = [slope * operand for slope, operand in zip(slopes, application.operands, strict=True)]
    return application.output - sum(products[1:], products[0])


def by_output(backward: OpOverload) -> Formula:
    """The same of one operand, for ``g`` whose backward operator ``backward(v, y) = v g′(a)`` needs the output alone.

    Autograd would evaluate ``g`` once more to come to that call, and recurrent layers have hundreds of such sites.
    """

    def formula(application: Application) -> Tensor:
        y, (a,) = application.output, application.operands
        if a.is_complex():
            return double_vjp(application)
        slope: Tensor = backward(torch.ones_like(y), y)
        return y - slope * a

    return formula


def at_bounds(low: float, high: float) -> Implicit:
    """Of ``y = min(max(a, l), h)``, whose derivative at both bounds is 0: ``b = l [y ≤ l] + h [y ≥ h]``.

    It needs the output alone, so that runtimes can fuse the activation into the layer before it. Where one bound is 0,
    as in ReLU6, the other is a factor of the whole bias.
    """
    factor = low or high if 0 in (low, high) else 1.0

    def formula(application: Application) -> Tensor:
        y = application.output
        parts = []
        for bound, reached in ((low, y <= low), (high, y >= high)):
            if bound != 0:
                part = reached.to(y.dtype)
                parts.append(part if bound == factor else part * (bound / factor))
        return sum(parts[1:], parts[0]) if parts else torch.zeros_like(y)

    return Implicit(formula, factor or 1.0)


def double_vjp(application: Application) -> Tensor:
    """``b = y − Σ_i J_i a_i`` with ``J a = ∂/∂u <Jᵀ u, a>`` at ``u = 0``: exact for every twice differentiable ``g``.

    Raises:
        RuntimeError: ``g`` has no derivative.
    """
    with torch.enable_grad():
        operands = tuple(operand.detach().requires_grad_() for operand in application.operands)
        output = application.function(*operands)
        cotangent = torch.zeros_like(output, requires_grad=True)
        pulled_back = torch.autograd.grad(output, operands, cotangent, create_graph=True, allow_unused=True)
        pairing = [
            inner_product(gradient, operand.detach()).sum()
            for gradient, operand in zip(pulled_back, operands, strict=True)
            if gradient is not None and gradient.requires_grad
        ]
        if not pairing:
            return application.output
        (tangent,) = torch.autograd.grad(sum(pairing[1:], pairing[0]), cotangent)
    return application.output - tangent


def at_zero(application: Application) -> Tensor:
    """``b = g(0)`` for an affine ``g``."""
    return application.function(*(torch.zeros_like(operand) for operand in application.operands))


AT_ZERO = Implicit(at_zero, affine=True)
