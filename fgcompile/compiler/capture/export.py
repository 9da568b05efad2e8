"""A module becomes an exported program with a symbolic batch; what fails says why."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, ShapesCollection

from fgcompile.compiler.capture.dynamic_sizes import Sizes, find_dynamic_sizes
from fgcompile.compiler.capture.fixing_line import find_fixed_size
from fgcompile.errors import CaptureError, FgcompileError, InputError

CONTIGUOUS = torch.contiguous_format


TRIED_BATCH = 2
"""The batch size that the model is run with before it is captured."""


TRACED_BATCH = 5
"""The batch size of the example while capturing: sizes 0 and 1 are specialised by torch.export.

So is one that equals a constant which PyTorch compares it with, as a stride in the backward of a product: 5 is rarely
one.
"""


def export_module(model: nn.Module, inputs: tuple[Tensor, ...], name: str, dynamic_sizes: bool) -> ExportedProgram:
    examples = tuple(
        value[:1].expand(TRIED_BATCH, *value.shape[1:]).clone(memory_format=CONTIGUOUS) for value in inputs
    )
    try:
        with torch.no_grad():
            model(*examples)
    except FgcompileError:
        raise
    except Exception as error:
        sizes = ", ".join(str(tuple(value.shape)) for value in inputs)
        raise InputError(
            f"{name} does not take inputs of shape {sizes}: {_first_line(error)}; pass inputs as the model takes them"
        ) from error
    free: Sizes = find_dynamic_sizes(model, examples) if dynamic_sizes else [{} for _ in examples]
    # torch.export looks at shapes only.
    traced = tuple(value.new_empty((TRACED_BATCH, *value.shape[1:])) for value in inputs)

    def export(values: tuple[Tensor, ...]) -> ExportedProgram:
        # Pairs sizes with tensors whatever the signature, ``*inputs`` included.
        shapes = ShapesCollection()  # type: ignore[no-untyped-call]
        for value, dimensions in zip(values, free, strict=True):
            shapes[value] = {0: Dim("batch"), **dimensions}
        dynamic = shapes.dynamic_shapes(model, values)  # type: ignore[no-untyped-call]
        # A failed export prints the graph that it had so far. The fast path is one operator for a whole layer.
        with contextlib.redirect_stderr(io.StringIO()), _without_fast_path():
            return torch.export.export(model, values, dynamic_shapes=dynamic, strict=False)

    failures: list[tuple[Exception, tuple[Tensor, ...]]] = []
    for values in (traced, examples):  # the second is of a size that the model has shown to take
        try:
            return export(values)
        except Exception as error:
            failures.append((error, values))
    for failure, values in failures:
        if _fixes_batch(failure):
            raise CaptureError(_explain_fixed_batch(name, find_fixed_size(partial(export, values)))) from failure
    failure, _ = failures[0]
    raise CaptureError(_explain(name, failure)) from failure


@contextlib.contextmanager
def _without_fast_path() -> Iterator[None]:
    enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(enabled)


def _fixes_batch(error: Exception) -> bool:
    text = str(error)
    return "batch" in text and ("constant" in text or "specializ" in text or "Constraints violated" in text)


def _explain_fixed_batch(name: str, place: str | None) -> str:
    where = "" if place is None else f" at {place}"
    return (
        f"{name} fixes its batch size to a constant{where}, so an artifact could not serve other batches: write sizes "
        "as x.shape[0] or -1 instead of numbers or len(x), and replace an operator that needs them fixed"
    )


def _explain(name: str, error: Exception) -> str:
    text = str(error)
    if "data-dependent" in text or "Dynamic control flow" in text or "GuardOnDataDependent" in type(error).__name__:
        return (
            f"{name} has control flow that depends on values and cannot be captured: {_first_line(error)}; "
            "replace it by torch.where or torch.cond"
        )
    return f"torch.export cannot capture {name}: {_first_line(error)}; see 'Troubleshooting' in PyTorch's export guide"


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
