"""A backward that is not the derivative: ``y = own_backward(g(a), J̃ a)`` leaves ``b̃ = g(a) − J̃ a``.

Of a straight-through quantisation that is the rounding error, and what lies beyond the range.
"""

from __future__ import annotations

from torch import Tensor

from fgcompile.compiler.biases.rule import Application, BiasRule, Implicit
from fgcompile.compiler.ir.own_backward import OWN_BACKWARD, QUANTIZED
from fgcompile.compiler.ir.torch_internals import OpOverload


def _difference(application: Application) -> Tensor:
    """``y − J̃ a``."""
    linear: Tensor = application.arguments["linear"]
    inside: Tensor | None = application.arguments.get("inside")
    return application.output - (linear if inside is None else linear * inside)


OWN: dict[OpOverload, BiasRule] = {
    OWN_BACKWARD: BiasRule("own backward", lambda call: Implicit(_difference), "closed form: y − J̃ a, J̃ its own"),
    QUANTIZED: BiasRule("quantization", lambda call: Implicit(_difference), "closed form: the rounding error y − J̃ a"),
}
