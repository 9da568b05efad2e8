"""The outputs of an explanation, in the contract's order, from a full-gradient; eager or traced."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from fgcompile.differentiate import FullGradient
from fgcompile.program import Request
from fgcompile.saliency import PSI, bias_gradients, contributions, saliency
from fgcompile.score import first_tensor

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")
"""What can be asked for, in the contract's order."""


def explanation_outputs(result: FullGradient, request: Request, input_names: Sequence[str]) -> dict[str, Tensor]:
    """The requested outputs by name.

    ``logits`` is the model's output, ``saliency`` the map ``(N, 1, *spatial)``, ``contributions`` ``(N, 1 + T)`` the
    signed sum of each term, ``residual`` ``(N,)`` is ``f − Σ terms``, ``input_gradient`` ``∂f/∂x`` (one output per
    input where there are several) and ``bias_gradients.<site>`` each site's ``δ ⊙ b``.
    """
    wanted = set(request.outputs)
    outputs: dict[str, Tensor] = {}
    if "logits" in wanted:
        outputs["logits"] = first_tensor(result.output).detach()
    if "saliency" in wanted:
        outputs["saliency"] = saliency(result, PSI[request.psi])
    if wanted & {"contributions", "residual"}:
        sums = contributions(result)
        if "contributions" in wanted:
            outputs["contributions"] = sums
        if "residual" in wanted:
            outputs["residual"] = result.score - sums.sum(1)
    if "input_gradient" in wanted:
        several = len(result.input_gradients) > 1
        for name, gradient in zip(input_names, result.input_gradients, strict=False):
            outputs[f"input_gradient.{name}" if several else "input_gradient"] = gradient
    if "bias_gradients" in wanted:
        outputs |= {f"bias_gradients.{name}": value for name, value in bias_gradients(result).items()}
    return outputs
