"""The model is run once before it is captured: whether it takes its inputs, and what of it no export would survive.

with torch.inference_mode(): …     no gradient passes, and torch.export makes of it what it likes
pack_padded_sequence(…)            the shape of what it makes depends on the lengths, which are values
torch.func.grad(f)(x)              a gradient inside of the model, which an export loses or cannot follow
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from fgcompile.compiler.capture.bound import as_given
from fgcompile.compiler.capture.returned import require_tensors, require_weights
from fgcompile.compiler.capture.user_code import calling_layer, calling_line, failing_line
from fgcompile.compiler.ir.fixed_batch import FixedBatchInputError
from fgcompile.compiler.ir.torch_internals import takes_a_gradient
from fgcompile.errors import CaptureError, FgcompileError, InputError, first_line

TRIED_BATCH = 2
"""The batch size that the model is run with before it is captured."""

PACKING = ("_pack_padded_sequence", "_pad_packed_sequence")
"""What ``nn.utils.rnn`` calls."""


def run_once(model: nn.Module, inputs: Sequence[Tensor], name: str, batch: int = TRIED_BATCH) -> tuple[Tensor, ...]:
    """Runs the model with a batch of so many samples, and returns them.

    Raises:
        CaptureError: It computes under ``torch.inference_mode``, with packed sequences, or a gradient; or its weights
            are no numbers.
        InputError: It does not run.
        ScoreError: It returns no tensor.
    """
    with torch.inference_mode(False), torch.no_grad():
        examples = tuple(
            value[:1].expand(batch, *value.shape[1:]).clone(memory_format=torch.contiguous_format) for value in inputs
        )
        watch = _Watch(model, name)
        try:
            with watch:
                returned = model(*examples)
        except Exception:  # what runs may not run watched (torch.cond does not), which is no fault of the model's
            if watch.refusal is None:
                returned = _run(model, examples, inputs, name)
    if watch.refusal is not None:
        raise CaptureError(watch.refusal)
    require_tensors(returned, name)
    require_weights(returned, model, name)
    return examples


def _run(model: nn.Module, examples: Sequence[Tensor], given: Sequence[Tensor], name: str) -> Any:
    try:
        return model(*examples)
    except FgcompileError:
        raise
    except Exception as error:
        sizes = ", ".join(str(tuple(value.shape)) for value in as_given(model, given))
        if _takes_as_samples(model, given):
            added = "x[None]" if len(given) == 1 else "x[None] of each"
            raise InputError(
                f"{name} takes inputs with a batch, and those of shape {sizes} are one sample: "
                f"add the batch axis, {added}"
            ) from error
        if isinstance(error, AttributeError | NameError):  # which no other inputs would mend
            line = failing_line(error)
            where = "" if line is None else f", at {line}"
            raise FixedBatchInputError(
                f"{name} fails on inputs of shape {sizes}{where}: {first_line(error)}"
            ) from error
        raise FixedBatchInputError(
            f"{name} does not take inputs of shape {sizes}: {first_line(error)}; pass inputs as the model takes them"
        ) from error


def _takes_as_samples(model: nn.Module, given: Sequence[Tensor]) -> bool:
    """Whether the model runs with the inputs as one sample each, which have no batch in front."""
    if any(value is not own for value, own in zip(given, as_given(model, given), strict=True)):
        return False  # their batch is on another axis, which says that there is one
    try:
        model(*(value[None].clone(memory_format=torch.contiguous_format) for value in given))
    except Exception:  # whatever a model raises of inputs that it does not take
        return False
    return True


def find_data_read(model: nn.Module, examples: Sequence[Tensor]) -> str | None:
    """The line at which the model reads ``.data`` of what is no parameter, in words; None where it does not."""
    watch = _DataWatch()
    with contextlib.suppress(Exception), torch.no_grad(), watch:
        model(*examples)
    return watch.line


class _DataWatch(TorchFunctionMode):
    """Notes the first read of ``.data``."""

    line: str | None = None

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func == _DATA and self.line is None and not isinstance(args[0], nn.Parameter):
            place = calling_line()
            self.line = "in code of a library" if place is None else f"at {place}"
        return func(*args, **(kwargs or {}))


_DATA = Tensor.data.__get__  # type: ignore[attr-defined]  # a property of the C type


class _Watch(TorchFunctionMode):
    """Notes the first call of what a model may not call, and why it may not."""

    refusal: str | None = None

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self._model, self._name = model, name

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if self.refusal is None and torch.is_inference_mode_enabled():
            self.refusal = (
                f"{self._where()} computes under torch.inference_mode, through which no gradient passes: "
                "leave it out where the explanation is to go on, and use torch.no_grad or detach where it is to end"
            )
        elif self.refusal is None and getattr(func, "__name__", "") in PACKING:
            self.refusal = (
                f"{self._where()} packs sequences, which has no graph since its shapes depend on the lengths: "
                "run the layer on the padded tensor, and mask what it returns behind each end"
            )
        elif self.refusal is None and (func is torch.autograd.grad or takes_a_gradient()):
            self.refusal = (
                f"{self._where()} takes a gradient inside of the model, which no graph keeps for the explanation to "
                "go through: write the derivative out as a formula"
            )
        return func(*args, **(kwargs or {}))

    def _where(self) -> str:
        layer, line = calling_layer(self._model), calling_line()
        return (f"'{layer}' of {self._name}" if layer else self._name) + ("" if line is None else f" at {line}")
