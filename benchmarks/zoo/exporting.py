"""A network of the zoo as the file that ``torch.onnx.export`` writes, by either exporter, at any batch where it can."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # type: ignore[import-untyped]  # ships no types
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from fgcompile.compiler.checking.differences import relative_difference

EXPORTERS = ("dynamo", "torchscript")

OPSET = 17
"""Of the exporter that traces TorchScript; the other chooses its own."""

OTHER = 3
"""A batch that no file was exported at."""

RIGHT = 1e-3
"""How far ONNX Runtime's outputs may be from the network's, relative to the largest, for a file to be its."""


class Flat(nn.Module):
    """A network whose outputs are tensors one after the other, whatever structure it returns.

    Attributes:
        names: Of the outputs, in the file.
    """

    def __init__(self, model: nn.Module, inputs: Sequence[Tensor]) -> None:
        super().__init__()
        self.model = model
        with torch.no_grad():
            leaves, self._structure = pytree.tree_flatten(model(*inputs))
        self._kept = [index for index, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        self.names = [f"output_{index}" for index in range(len(self._kept))]
        self.eval()  # an exporter sets the mode that the whole has before

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The tensors of the output."""
        leaves = pytree.tree_leaves(self.model(*inputs))
        return tuple(leaves[index] for index in self._kept)

    def restored(self, outputs: Any) -> Any:
        """The network's own structure of a file's outputs: the only one, or several by name."""
        leaves: list[Any] = [None] * self._structure.num_leaves
        found = [outputs[name] for name in self.names] if isinstance(outputs, dict) else [outputs]
        for index, value in zip(self._kept, found, strict=True):
            leaves[index] = value
        return pytree.tree_unflatten(leaves, self._structure)


@dataclass(frozen=True)
class Exported:
    """What an exporter wrote.

    Attributes:
        batch: That of the file: ``"any"``, or 1 where it writes no other that runs.
        dynamic: Why it does not, if so.
    """

    batch: str
    dynamic: str | None = None


class ExportError(Exception):
    """The exporter writes no file of the network that computes what the network does."""


def export(flat: Flat, inputs: Sequence[Tensor], exporter: str, path: Path, folded: bool = True) -> Exported:
    """Writes a file whose batch is dynamic; where that fails, or does not compute what the network does, one of 1.

    Args:
        flat: The network.
        inputs: At least ``OTHER`` samples.
        exporter: One of ``EXPORTERS``.
        path: The file.
        folded: Whether the exporter optimises the graph as it does by itself, BatchNorm into convolutions among others.

    Raises:
        ExportError: Neither can be written so that ONNX Runtime gives the network's outputs.
    """
    why = []
    for dynamic in (True, False):
        given = tuple(value[: 2 if dynamic else 1] for value in inputs)
        try:
            _WRITERS[exporter](flat, given, path, dynamic, folded)
            _require_outputs(flat, tuple(value[: OTHER if dynamic else 1] for value in inputs), path)
        except Exception as error:  # whatever an exporter or a runtime raises says why there is no file
            why.append(_line(error))
        else:
            return Exported("any" if dynamic else "1", why[0] if why else None)
    raise ExportError(why[-1])


def _line(error: BaseException) -> str:
    """An exporter's report begins with pages of advice: the last line that is no frame of a stack says why."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = next((line for line in lines if "Error" in line or "upport" in line), lines[0] if lines else "")
    return f"{type(error).__name__}: {said}"[:200]


def _dynamo(flat: Flat, inputs: tuple[Tensor, ...], path: Path, dynamic: bool, folded: bool) -> None:
    shapes = (tuple({0: torch.export.Dim("batch")} for _ in inputs),) if dynamic else None
    torch.onnx.export(
        flat,
        inputs,
        path,
        dynamo=True,
        dynamic_shapes=shapes,
        input_names=_names(inputs),
        output_names=flat.names,
        external_data=False,
        optimize=folded,
        verbose=False,
    )


def _torchscript(flat: Flat, inputs: tuple[Tensor, ...], path: Path, dynamic: bool, folded: bool) -> None:
    names = _names(inputs)
    torch.onnx.export(
        flat,
        inputs,
        path,
        dynamo=False,
        opset_version=OPSET,
        training=torch.onnx.TrainingMode.EVAL if folded else torch.onnx.TrainingMode.PRESERVE,
        dynamic_axes={name: {0: "batch"} for name in [*names, *flat.names]} if dynamic else None,
        input_names=names,
        output_names=flat.names,
        verbose=False,
    )


_WRITERS: dict[str, Callable[[Flat, tuple[Tensor, ...], Path, bool, bool], None]] = {
    "dynamo": _dynamo,
    "torchscript": _torchscript,
}


def _names(inputs: Sequence[Tensor]) -> list[str]:
    return [f"input_{index}" for index in range(len(inputs))]


def _require_outputs(flat: Flat, inputs: Sequence[Tensor], path: Path) -> None:
    """Asks ONNX Runtime for the outputs of the file.

    Raises:
        ExportError: They are not the network's.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    names = [spec.name for spec in session.get_inputs()]
    feeds = {name: value.numpy() for name, value in zip(_names(inputs), inputs, strict=True) if name in names}
    with torch.no_grad():
        expected = flat(*inputs)
    for name, value, reference in zip(flat.names, session.run(flat.names, feeds), expected, strict=True):
        difference = relative_difference(np.asarray(value), reference)
        if difference > RIGHT:
            raise ExportError(f"{name} is {difference:.0e} from the network's in ONNX Runtime")


def quietly(function: Callable[[], Any]) -> Any:
    """Calls a function without what the exporters print and warn of."""
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return function()
