"""A model whose samples are computed one by one has to be one of which they are apart.

    model(x_1 … x_N)  =  model(x_1) … model(x_N), one after the other

Where a graph of one sample stands for a batch of several, this is what makes it the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.agreement import SAME
from fgcompile.compiler.capture.binding import innermost, model_name
from fgcompile.compiler.capture.bound import Bound
from fgcompile.compiler.capture.cache import without_cache
from fgcompile.compiler.capture.scored import Scored
from fgcompile.compiler.ir.fixed_batch import ALONE
from fgcompile.compiler.ir.torch_internals import pytree
from fgcompile.compiler.request import Request
from fgcompile.errors import CaptureError, FgcompileError, first_line

SEED = 0


def require_apart(bound: Bound, request: Request) -> None:
    """Runs the model on a batch of different samples, and on each alone.

    Raises:
        CaptureError: It takes no batch of so many, or gives a sample something else beside others.
    """
    if request.batch in (None, ALONE):
        return
    assert request.batch is not None
    name, count = model_name(innermost(bound.model)), request.batch
    model = _module(bound, request)
    inputs = [_different(value, count, number) for number, value in enumerate(request.examples(bound.inputs))]
    with torch.no_grad(), without_cache(innermost(bound.model)):
        each = [_tensors(model(*(value[sample : sample + 1] for value in inputs))) for sample in range(count)]
        try:
            together = _tensors(model(*inputs))
        except FgcompileError:
            raise
        except Exception as error:  # whatever a model raises of a batch that it does not take
            raise CaptureError(
                f"{name} takes no batch of {count} ({first_line(error)}): compile it for one sample a call, batch=1"
            ) from error
    for number, (found, *alone) in enumerate(zip(together, *each, strict=True)):
        if not _is_joined(found, alone):
            raise CaptureError(
                f"output {number} of {name} for a batch of {count} is not that of its samples one by one, and it takes "
                "no free batch: compile it for one sample a call, batch=1"
            )


def _module(bound: Bound, request: Request) -> nn.Module:
    model: Any = bound.model.module() if isinstance(bound.model, ExportedProgram) else bound.model
    if request.score is None:
        return model  # type: ignore[no-any-return]
    return Scored(model, request.score, request.output, list(request.score_inputs))


def _different(value: Tensor, count: int, number: int) -> Tensor:
    """So many samples like the first, no two of which are the same: noise, or its integers turned along their axis."""
    first = value[:1]
    if not value.is_floating_point():
        turned = [first if first.ndim == 1 else first.roll(sample, -1) for sample in range(count)]
        return torch.cat(turned).contiguous()
    generator = torch.Generator().manual_seed(SEED + number)
    noise = torch.randn((count, *first.shape[1:]), generator=generator, dtype=torch.float64).to(value)
    scale = first.std(correction=0) + first.abs().mean() + 1e-3
    different = first + scale * noise
    return different.abs() if bool((first >= 0).all()) else different


def _tensors(outputs: Any) -> list[Tensor]:
    return [leaf for leaf in pytree.tree_leaves(outputs) if isinstance(leaf, Tensor)]


def _is_joined(found: Tensor, alone: Sequence[Tensor]) -> bool:
    """Whether an output has those of the samples one after the other, on an axis of theirs, or is one for all."""
    size = max((float(one.abs().max()) for one in alone if one.numel()), default=0.0)
    axes = [axis for axis, extent in enumerate(alone[0].shape) if extent == ALONE]
    candidates = [torch.cat(list(alone), axis) for axis in axes]
    if all(torch.equal(one, alone[0]) for one in alone):
        candidates.append(alone[0])
    return any(
        one.shape == found.shape and torch.allclose(found, one, rtol=0, atol=SAME * size, equal_nan=True)
        for one in candidates
    )
