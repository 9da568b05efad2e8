"""Complex numbers as pairs of real ones, which eager full-gradients take, and no artifact has."""

from __future__ import annotations

from torch import Tensor


def inner_product(gradient: Tensor, value: Tensor) -> Tensor:
    """``δ ⊙ v``, real: of complex numbers ``Re(δ̄ v)``, as PyTorch's ``δ = ∂f/∂Re + i ∂f/∂Im`` has it.

    Args:
        gradient: ``δ``.
        value: What broadcasts to it.
    """
    return (gradient.conj() * value).real if gradient.is_complex() else gradient * value
