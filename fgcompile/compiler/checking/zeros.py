"""A map of zeros: the score is flat wherever the model was tried, as behind a clamp or ReLU that saturates everywhere.

That depends on the input, and elsewhere there may be a gradient: a warning, not an error. Where the graph itself says
that there is none at all, ``ir.steps`` refuses.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from fgcompile.compiler.checking.expected import expected_outputs, returned_by
from fgcompile.compiler.checking.fused import FusedCheck
from fgcompile.compiler.checking.inputs import as_dtype, check_targets
from fgcompile.compiler.ir.batch_axes import put_back
from fgcompile.compiler.ir.programs import BiasedProgram, FusedProgram
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureWarning


def warn_of_zeros(
    exposed: BiasedProgram,
    program: FusedProgram,
    request: Request,
    tried: tuple[Sequence[Tensor], Sequence[FusedCheck]],
    stacklevel: int,
) -> None:
    """Warns if all that a map has is 0 on the inputs of every check and on the examples.

    Args:
        exposed: The model's graph.
        program: The fused program.
        request: What is asked for.
        tried: The examples of all inputs, with their batch in front, and the checks, which are of noise.
        stacklevel: Whose line the warning names, counted from the caller as in ``warnings.warn``.
    """
    examples, checks = tried
    if not all(_is_silent(check.expected) for check in checks):
        return
    # Of noise a trained model may know nothing. Raw photos cannot be had of examples of what is behind preprocessing.
    if request.preprocess is None and not _is_silent(_on_examples(exposed, program, request, examples)):
        return
    warnings.warn(
        "the map is 0 everywhere on all that the model was tried with, since the score does not change there: it "
        "saturates, as a clamp or ReLU does, or has a factor of 0. Give real inputs as example_inputs to see whether "
        "that is so of them; if it is, explain what is in front of it, output=",
        CaptureWarning,
        stacklevel=stacklevel + 1,
    )


def _on_examples(
    exposed: BiasedProgram, program: FusedProgram, request: Request, examples: Sequence[Tensor]
) -> Mapping[str, Tensor]:
    axes = (*exposed.batch_axes, *[0] * len(examples))
    two = [put_back(as_dtype(value[[0, -1]], torch.float64), axis) for value, axis in zip(examples, axes, strict=False)]
    outputs, _ = expected_outputs(exposed, request, two, check_targets(program), returned_by(program))
    return outputs


def _is_silent(outputs: Mapping[str, Tensor]) -> bool:
    """Whether maps were asked for and hold nothing, and the input's own term is nothing.

    A ψ that leaves out what is negative may make a map of zeros of a gradient that is none.
    """
    maps = [value for name, value in outputs.items() if name.split(".")[0] == "saliency"]
    return bool(maps) and not any(value.any() for value in maps) and not outputs["contributions"][..., 0].any()
