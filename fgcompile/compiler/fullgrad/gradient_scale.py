"""Gradients in float16: multiplied by a power of two on their way, since most are too small for its range.

float16 has numbers from 6e-8 to 65504, with full precision from 6e-5 up; gradients of a logit are often smaller.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from torch import Tensor

from fgcompile.compiler.fullgrad.methods import decompose
from fgcompile.compiler.ir.programs import BiasedProgram
from fgcompile.compiler.request import Request

LARGEST = 256.0
"""Where the largest gradient of the example is put: other inputs may have gradients 255 times as large."""


def choose_gradient_scale(program: BiasedProgram, request: Request, inputs: Sequence[Tensor]) -> float:
    """The power of two that brings the largest gradient of any site and input to at most ``LARGEST``, at least 1.

    Args:
        program: The exposed program, in float64.
        request: What is asked for.
        inputs: Examples of the model's inputs, then of the score's own.
    """
    given = [value.double() if value.is_floating_point() else value for value in inputs]
    predicted = replace(request, target="predicted", targets=None) if request.target is None else request
    (result, *_) = decompose(program, predicted, given, None)
    gradients = [*result.input_gradients.values(), *(t.gradient for value in result.sites for t in value.terms)]
    largest = max((gradient.abs().max().item() for gradient in gradients if gradient.numel()), default=0.0)
    return 2.0 ** max(0, math.floor(math.log2(LARGEST / largest))) if largest > 0 else 1.0
