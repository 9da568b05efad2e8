"""What can be compiled at all: a module of Python code in evaluation mode, or an exported program."""

from __future__ import annotations

import torch
from torch import nn
from torch.export import ExportedProgram

from fgcompile.compiler.capture.fake_quantize import require_frozen_observers
from fgcompile.compiler.request import Model
from fgcompile.errors import CaptureError, InputError


def require_model(model: Model) -> None:
    """Refuses what is no model, and a module that was traced or scripted, is in training mode or observes ranges.

    Raises:
        CaptureError: A module cannot be captured; names its part.
        InputError: It is neither a module nor an exported program.
    """
    if isinstance(model, nn.Module):
        _require_python_code(model)
        _require_evaluation_mode(model)
        require_frozen_observers(model)
    elif not isinstance(model, ExportedProgram):
        what = f"the class {model.__name__}" if isinstance(model, type) else f"of type {type(model).__name__}"
        raise InputError(
            f"the model is {what}: pass a torch.nn.Module, built and in evaluation mode, or an ExportedProgram"
        )


def _require_evaluation_mode(model: nn.Module) -> None:
    """Refuses a module any part of which is in training mode, where dropout and batch statistics are random.

    Raises:
        CaptureError: Names the first such part.
    """
    for path, module in model.named_modules():
        if module.training:
            part = f"its part '{path}' is" if path else "it is"
            raise CaptureError(f"{type(model).__name__} cannot be compiled while {part} in training mode: call .eval()")


def _require_python_code(model: nn.Module) -> None:
    """Refuses a module that was traced or scripted.

    Raises:
        CaptureError: It was.
    """
    if isinstance(model, torch.jit.ScriptModule):
        raise CaptureError(
            f"the model is a {type(model).__name__}, traced or scripted by torch.jit, and has no Python code: "
            "compile the nn.Module that it was made from"
        )
