"""TorchScript as a source: what ``torch.jit.save`` wrote, or a traced or scripted module, becomes a plain module.

PyTorch's own converter does it, for inputs of a shape: branches that depend on sizes are taken as these have them.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from fgcompile.artifact.names import METADATA_FILE
from fgcompile.compiler.capture.binding import Named
from fgcompile.compiler.capture.torchscript_internals import as_graph_module
from fgcompile.compiler.examples import as_inputs
from fgcompile.compiler.ir.silence import unprinted
from fgcompile.errors import CaptureError, InputError, SourceError, first_line

INTERNAL = ". This is an internal"
"""Where libtorch goes on to say, of whatever is no file of its own, that it is corrupted."""


class Converted(Named):
    """What a TorchScript module computes.

    Attributes:
        source_name: The class that it was scripted or traced from.
    """

    def __init__(self, converted: nn.Module, names: Sequence[str], source_name: str) -> None:
        super().__init__()
        self.converted, self.source_name = converted, source_name
        self.input_names = tuple(names)
        self.training = False

    def forward(self, *inputs: Tensor, **named: Tensor) -> object:
        """As the module's own forward."""
        return self.converted(*inputs, *(named[name] for name in self.input_names[len(inputs) :]))


def read_torchscript(path: Path) -> torch.jit.ScriptModule:
    """The module of a file; its code is TorchScript's, and runs when it is called.

    Raises:
        SourceError: It is no such file.
    """
    try:
        if _is_artifact(path):
            raise SourceError(f"{path} is compiled already: fgcompile.load it, or give what it was made from")
        module: torch.jit.ScriptModule = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    except SourceError:
        raise
    except Exception as error:  # RuntimeError for most, of C++
        raise SourceError(
            f"{path} cannot be read as TorchScript ({first_line(error).split(INTERNAL)[0]}): give what torch.jit.save "
            "wrote, or a program of torch.export.save, whose name ends in .pt2"
        ) from error
    return module.eval() if hasattr(module, "training") else module


def _is_artifact(path: Path) -> bool:
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith(f"extra/{METADATA_FILE}") for name in archive.namelist())


def convert_torchscript(module: torch.jit.ScriptModule, given: Any) -> Converted:
    """A scripted or traced module as one that can be captured.

    Raises:
        CaptureError: PyTorch's converter does not know how; or the module is in training mode.
        InputError: ``given``, examples as for ``compile``, are no tensors, or not what it takes.
    """
    name = str(getattr(module, "original_name", type(module).__name__))
    if getattr(module, "training", False):  # a frozen one does not say
        raise CaptureError(f"{name} cannot be compiled while it is in training mode: call .eval()")
    forward: Any = module.forward
    names = [argument.name for argument in forward.schema.arguments[1:]]
    inputs = _in_order(given, names, name)
    try:
        with unprinted("stderr"):
            converted = as_graph_module(module, tuple(inputs))
    except Exception as error:  # whatever the converter meets that it does not know
        raise CaptureError(
            f"{name} is TorchScript that PyTorch cannot convert ({first_line(error)}): "
            "compile the nn.Module that it was made from, or export it with torch.export"
        ) from error
    return Converted(converted.eval(), names[: len(inputs)], name)


def _in_order(given: Any, names: Sequence[str], name: str) -> tuple[Tensor, ...]:
    """Examples in the order of the module's parameters."""
    if isinstance(given, Mapping):
        if unknown := [key for key in given if key not in names]:
            raise InputError(f"unknown example input {unknown[0]!r}: {name} takes {', '.join(names)}")
        given = [given[key] for key in names if key in given]
    return as_inputs(given)
