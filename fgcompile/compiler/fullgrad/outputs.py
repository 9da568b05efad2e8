"""The outputs of an explanation, in the contract's order, from a full-gradient; eager or traced."""

from __future__ import annotations

from torch import Tensor

from fgcompile.artifact.names import EXPLAIN, TARGET
from fgcompile.compiler.fullgrad.aggregation import bias_gradients, contributions, saliency
from fgcompile.compiler.fullgrad.methods import without_biases
from fgcompile.compiler.fullgrad.psi import PSI
from fgcompile.compiler.fullgrad.terms import FullGradient
from fgcompile.compiler.ir.model_output import explained, main_output, other_outputs
from fgcompile.compiler.request import Request
from fgcompile.errors import InputError


def explanation_outputs(result: FullGradient, request: Request) -> dict[str, Tensor]:
    """The requested outputs by name.

    ``logits`` is the model's output, ``saliency`` the map ``(N, 1, *spatial)`` (``saliency.<input>`` for each further
    input with a spatial layout), ``contributions`` ``(N, 1 + T)`` the signed sum of each term, ``residual`` ``(N,)`` is
    ``f − Σ terms``, ``input_gradient`` ``∂f/∂x`` (one output per input where there are several),
    ``bias_gradients.<site>`` each site's ``δ ⊙ b``, and for ``model`` its other outputs under their own names.

    Raises:
        InputError: No input has what an output needs: a spatial layout, or a gradient; or there is no other output.
    """
    # Top to bottom is the contract's order. The first map and a single gradient bear the plain names, so that what
    # reads an artifact of one input need not know what it is called; names of inputs tell several apart. The terms are
    # summed once, for whichever of the two outputs wants them.
    wanted = set(request.outputs)
    outputs: dict[str, Tensor] = {}
    logits = (main_output if callable(request.target) else explained)(result.output, request.output)
    if "logits" in wanted:
        outputs["logits"] = logits.detach()
    if "saliency" in wanted:
        simple = request.method == "simple_fullgrad"
        maps = saliency(without_biases(result) if simple else result, PSI[request.psi])
        if not maps:
            raise InputError(
                "no input of the model has a spatial layout, so there is no map: leave saliency out of outputs"
            )
        first = next(iter(maps))
        outputs |= {"saliency" if name == first else f"saliency.{name}": value for name, value in maps.items()}
    if wanted & {"contributions", "residual"}:
        sums = contributions(result)
        if "contributions" in wanted:
            outputs["contributions"] = sums
        if "residual" in wanted:
            outputs["residual"] = result.score - sums.sum(1)
    if "input_gradient" in wanted:
        if not result.input_gradients:
            raise InputError(
                "the model has no floating-point input, so no gradient: leave input_gradient out of outputs"
            )
        several = len(result.input_gradients) > 1
        for name, gradient in result.returned_gradients().items():
            outputs[f"input_gradient.{name}" if several else "input_gradient"] = gradient
    if "bias_gradients" in wanted:
        outputs |= {f"bias_gradients.{name}": value for name, value in bias_gradients(result).items()}
    if "model" in wanted:
        taken = (*result.input_gradients, TARGET, EXPLAIN)
        own = other_outputs(result.output, logits, taken)
        if not own:
            raise InputError("the model returns nothing beside its logits: leave model out of outputs")
        outputs |= {name: value.detach() for name, value in own.items()}
    return outputs
