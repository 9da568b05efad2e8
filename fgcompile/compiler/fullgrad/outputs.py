"""The outputs of an explanation, in the contract's order, from full-gradients; eager or traced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import SymInt, Tensor

from fgcompile.artifact.names import EXPLAIN, TARGET, is_predicted
from fgcompile.compiler.fullgrad.aggregation import bias_gradients, contributions, saliency
from fgcompile.compiler.fullgrad.methods import of_parameters, without_biases
from fgcompile.compiler.fullgrad.psi import PSI
from fgcompile.compiler.fullgrad.terms import FullGradient
from fgcompile.compiler.ir.model_output import explained, main_output, other_outputs
from fgcompile.compiler.request import Request
from fgcompile.errors import InputError

GRADIENT = "input_gradient"
"""The output that is the gradient of the only floating-point input; of several, ``.`` and the input's name follow."""


def explanation_outputs(results: Sequence[FullGradient], request: Request) -> dict[str, Tensor]:
    """The requested outputs by name, of one question; of several what explains has an axis of them behind the batch.

    Raises:
        InputError: No input has what an output needs: a spatial layout, or a gradient; or there is no other output.
    """
    each = [_outputs(result, request) for result in results]
    return each[0] if request.targets is None else side_by_side(each, results[0])


def side_by_side(each: Sequence[Mapping[str, Tensor]], result: FullGradient) -> dict[str, Tensor]:
    """The outputs of several questions as one; what is predicted is the same for all.

    Args:
        each: The outputs of each question.
        result: The full-gradient of any, which knows where the gradients have their batch.
    """
    axes = batch_axes(result)
    return {
        name: value if is_predicted(name) else torch.stack([outputs[name] for outputs in each], 1 + axes.get(name, 0))
        for name, value in each[0].items()
    }


def by_questions(outputs: Mapping[str, Tensor], result: FullGradient, count: int | SymInt) -> dict[str, Tensor]:
    """The outputs of rows, of which each sample has one for each question, with an axis of these behind the batch.

    What is predicted stays as it is, a row for each question: it is the same for all.
    """
    axes = batch_axes(result)

    def split(name: str, value: Tensor) -> Tensor:
        axis = axes.get(name, 0)
        return value.reshape(*value.shape[:axis], -1, count, *value.shape[axis + 1 :])

    return {name: value if is_predicted(name) else split(name, value) for name, value in outputs.items()}


def batch_axes(result: FullGradient) -> dict[str, int]:
    """Where the outputs have their batch that may have it elsewhere than in front."""
    return {name: result.batch_axes.get(of, 0) for of, name in _gradient_names(result).items()}


def _gradient_names(result: FullGradient) -> dict[str, str]:
    """The output that is the gradient of each floating-point input, by the input's name."""
    names = list(result.input_gradients)
    return {name: f"input_gradient.{name}" for name in names} if len(names) > 1 else dict.fromkeys(names, GRADIENT)


def _outputs(result: FullGradient, request: Request) -> dict[str, Tensor]:
    """The requested outputs of one question by name.

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
        maps = saliency(_in_map(result, request), PSI[request.psi])
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
        names = _gradient_names(result)
        outputs |= {names[name]: gradient for name, gradient in result.returned_gradients().items()}
    if "bias_gradients" in wanted:
        outputs |= {f"bias_gradients.{name}": value for name, value in bias_gradients(result).items()}
    if "model" in wanted:
        taken = (*result.input_gradients, TARGET, EXPLAIN)
        own = other_outputs(result.output, logits, taken)
        if not own:
            raise InputError("the model returns nothing beside its logits: leave model out of outputs")
        outputs |= {name: value.detach() for name, value in own.items()}
    return outputs


def _in_map(result: FullGradient, request: Request) -> FullGradient:
    """The terms of which the map is made."""
    if request.method == "simple_fullgrad":
        return without_biases(result)
    return of_parameters(result) if request.terms == "parameters" else result
