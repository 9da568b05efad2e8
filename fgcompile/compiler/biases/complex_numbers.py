"""From and to complex numbers: linear over the reals, as a Fourier transform is, so that there is no bias.

Few runtimes compute with them, so what is compiled has none; these rows are for ``full_gradient`` and
``expose_biases``. A bias that is complex is one of two real numbers, and its term ``δ ⊙ b`` is their inner product,
``Re(δ̄ b)``, with δ in PyTorch's convention, ``∂f/∂Re + i ∂f/∂Im``.
"""

from __future__ import annotations

import torch

from fgcompile.compiler.biases.formula import AT_ZERO
from fgcompile.compiler.biases.rule import Bias, BiasCall, BiasRule, Homogeneous
from fgcompile.compiler.ir.torch_internals import OpOverload

aten = torch.ops.aten

LINEAR_OVER_REALS = (
    aten._fft_c2c.default,
    aten._fft_c2r.default,
    aten._fft_r2c.default,
    aten.view_as_complex.default,
    aten.view_as_real.default,
    aten.real.default,
    aten.imag.default,
    aten._conj.default,
    aten._conj_physical.default,
    aten.conj_physical.default,
    aten.resolve_conj.default,
)


def _put_together(call: BiasCall) -> Bias:
    """A complex number of two real ones; one that is a constant is its bias."""
    return Homogeneous(1) if call.is_active("real") and call.is_active("imag") else AT_ZERO


COMPLEX: dict[OpOverload, BiasRule] = {
    **{operator: BiasRule("transform", lambda call: Homogeneous(1), "linear: none") for operator in LINEAR_OVER_REALS},
    aten.complex.default: BiasRule("transform", _put_together, "closed form: g(0); none where both are active"),
}
