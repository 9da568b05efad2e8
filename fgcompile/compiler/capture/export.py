"""A module becomes an exported program with a symbolic batch; what fails says why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram, ShapesCollection
from torch.overrides import TorchFunctionMode

from fgcompile.compiler.capture import dynamic_parts, dynamic_pools, quantization, whole_windows
from fgcompile.compiler.capture.dynamic_sizes import Sizes, find_dynamic_sizes, require_varied
from fgcompile.compiler.capture.embedding_bags import embedding_bag
from fgcompile.compiler.capture.failures import explain_failure, explain_fixed_batch
from fgcompile.compiler.capture.fake_quantize import writing_out
from fgcompile.compiler.capture.fixing_line import find_fixed_size
from fgcompile.compiler.capture.free import Free
from fgcompile.compiler.capture.functions.expand import expand
from fgcompile.compiler.capture.functions.record import recording
from fgcompile.compiler.capture.messages import without_notes
from fgcompile.compiler.capture.sample_reads import take_along
from fgcompile.compiler.capture.scored import Scored
from fgcompile.compiler.capture.shuffling import shuffle_channels
from fgcompile.compiler.capture.trial import run_once
from fgcompile.compiler.ir.fixed_batch import ALONE, FixedBatchError
from fgcompile.compiler.ir.silence import unprinted
from fgcompile.compiler.ir.sizes import is_fixed
from fgcompile.compiler.ir.torch_internals import size_range, violates_a_constraint
from fgcompile.errors import CaptureError, FgcompileError

Values = tuple[Tensor, ...]

TRACED_BATCH = 5
"""The batch size of the example while capturing: sizes 0 and 1 are specialised by torch.export.

So is one that equals a constant which PyTorch compares it with, as a stride in the backward of a product: 5 is rarely
one.
"""


def export_module(model: nn.Module, inputs: Values, name: str, free: Free) -> ExportedProgram:
    """The module as an exported program whose batch is symbolic, or that of one sample; sizes of space if wanted.

    Raises:
        CaptureError: PyTorch cannot export it so; says why, and where a batch size was fixed.
        InputError: The model does not take such inputs, or ``dynamic_sizes`` needs others.
    """
    if not free.batch:
        return _export_alone(model, inputs, name, free)
    examples = run_once(model, inputs, name)
    sizes = _dynamic_sizes(model, examples, free)
    # Two tries: at a batch size that PyTorch leaves symbolic, of values that it does not look at; then at the one that
    # the model has just been seen to take, since some models refuse 5 samples (a pairing of neighbours, say).
    traced = tuple(value.new_empty((TRACED_BATCH, *value.shape[1:])) for value in inputs)
    failures: list[tuple[Exception, Values]] = []
    for values in (traced, examples):
        try:
            return require_varied(_export(model, values, sizes), sizes, name)
        except FgcompileError:
            raise
        except Exception as error:  # whatever the model or PyTorch raises
            failures.append((error, values))
    # Either failure may be the telling one: that a size became a constant says more than what the other ran into.
    for failure, values in failures:
        if violates_a_constraint(failure) and _is_of_the_batch(model, values, sizes):
            place = find_fixed_size(partial(_export, model, values, sizes))
            limits = _find_range(model, name, values, sizes) if place is None else None
            raise FixedBatchError(explain_fixed_batch(name, place) if limits is None else limits) from failure
    failure, _ = failures[0]
    raise CaptureError(explain_failure(model, name, failure, examples)) from failure


def _export_alone(model: nn.Module, inputs: Values, name: str, free: Free) -> ExportedProgram:
    """The module as it is for one sample, whose batch is the number 1 to all that reads it."""
    examples = run_once(model, inputs, name, ALONE)
    sizes = _dynamic_sizes(model, examples, free)
    try:
        return require_varied(_export(model, examples, sizes, Dim.STATIC), sizes, name)
    except FgcompileError:
        raise
    except Exception as error:  # whatever the model or PyTorch raises
        raise CaptureError(explain_failure(model, name, error, examples)) from error


def _dynamic_sizes(model: nn.Module, examples: Values, free: Free) -> Sizes:
    own = model.own if isinstance(model, Scored) else 0
    return find_dynamic_sizes(model, examples, own) if free.sizes else [{} for _ in examples]


def _export(model: nn.Module, values: Values, free: Sizes, batch: Any = None) -> ExportedProgram:
    """One call of ``torch.export``; ``batch`` is another dimension than one that has to stay symbolic."""
    shapes = ShapesCollection()  # type: ignore[no-untyped-call]  # takes tensors whatever the signature, ``*inputs`` too
    for value, dimensions in zip(values, free, strict=True):
        shapes[value] = {0: batch or Dim("batch"), **dimensions}
    dynamic = shapes.dynamic_shapes(model, values)  # type: ignore[no-untyped-call]
    # A failed export prints the graph that it had so far.
    with unprinted("stderr"), without_notes(), writing_out(model), _ByParts(), recording() as calls:
        exported = torch.export.export(model, values, dynamic_shapes=dynamic, strict=False)
    return expand(exported, calls)


def _is_of_the_batch(model: nn.Module, values: Values, free: Sizes) -> bool:
    """Whether it is the batch that an export would not leave symbolic, and not one of the multiples of ``free``.

    Other sizes of ``free`` are PyTorch's to decide (``Dim.AUTO``), which violates nothing. Where there are multiples,
    an export tells that leaves the batch to PyTorch too.
    """
    if all(size is Dim.AUTO for dimensions in free for size in dimensions.values()):
        return True
    try:
        _export(model, values, free, Dim.AUTO)
    except Exception:  # it fails all the same, whatever for
        return False
    return True


def _find_range(model: nn.Module, name: str, values: Values, free: Sizes) -> str | None:
    """What is said of a model that takes a range of batch sizes one way and others another; None if it is not so."""
    try:
        exported = _export(model, values, free, Dim.AUTO)
    except Exception:  # it fails all the same, whatever for
        return None
    size = next(
        node.meta["val"].shape[0] for node in exported.graph.nodes if node.name in exported.graph_signature.user_inputs
    )
    if is_fixed(size):
        return None
    low, high = size_range(exported, size)
    # Sizes 0 and 1 are never in a range that PyTorch found, which says nothing of the model.
    bounds = [f"batch >= {low}"] * (low > SMALLEST_SYMBOLIC) + [f"batch <= {high}"] * (high is not None)
    where = f"for {' and '.join(bounds)} it goes" if bounds else f"for a batch of {len(values[0])} it goes"
    return (
        f"{name} decides by its batch size: {where} one way, for others another, and one graph cannot: "
        "remove the condition on x.shape[0]"
    )


SMALLEST_SYMBOLIC = 2
"""The least size that PyTorch leaves symbolic."""


class _ByParts(TorchFunctionMode):
    """While it is open, some functions of this thread compute by parts.

    ``nn.TransformerEncoderLayer`` and ``nn.MultiheadAttention`` have a fast path, one operator for a whole layer. They
    leave it where a function could be overridden. Simulated quantisation is written out, and so is what reads sizes as
    numbers: ``take_along_dim``, ``native_channel_shuffle``, what ``dynamic_parts``, ``dynamic_pools`` and
    ``whole_windows`` have. So are bags of embeddings, which have no rule.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _WRITTEN_OUT.get(func, func)(*args, **(kwargs or {}))


_WRITTEN_OUT: Mapping[Any, Any] = {
    **quantization.WRITTEN_OUT,
    **dynamic_parts.WRITTEN_OUT,
    **dynamic_pools.WRITTEN_OUT,
    **whole_windows.WRITTEN_OUT,
    torch.nn.functional.embedding_bag: embedding_bag,
    torch.take_along_dim: take_along,
    Tensor.take_along_dim: take_along,
    torch.native_channel_shuffle: shuffle_channels,
}
