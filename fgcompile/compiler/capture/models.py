"""What can be compiled at all: a module of Python code in evaluation mode, or an exported program."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

import torch
from torch import fx, nn
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
        _require_tensors_of_numbers(model)
        _require_evaluation_mode(model)
        _require_no_inference_tensors(model)
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
    idle = set(_idle(model))
    for path, module in model.named_modules():
        if module.training and path not in idle:
            part = f"its part '{path}' is" if path else "it is"
            raise CaptureError(f"{type(model).__name__} cannot be compiled while {part} in training mode: call .eval()")


def _require_no_inference_tensors(model: nn.Module) -> None:
    """Refuses weights that were made under ``torch.inference_mode``, of which PyTorch keeps no gradient.

    Raises:
        CaptureError: Names the first.
    """
    for name, value in chain(model.named_parameters(), model.named_buffers()):
        if value.is_inference():
            raise CaptureError(
                f"'{name}' of {type(model).__name__} was made under torch.inference_mode, through which no gradient "
                "passes: build the model outside of it, or compile copy.deepcopy(model), made outside of it"
            )


def _idle(model: nn.Module) -> Iterator[str]:
    """The parts whose mode nobody asks: graphs, which say themselves what they do, and what only holds their tensors.

    What ``torch.export`` made of a model has no ``eval()``.
    """
    for path, graph_module in model.named_modules():
        if not isinstance(graph_module, fx.GraphModule):
            continue
        yield path
        called = {str(node.target) for node in graph_module.graph.find_nodes(op="call_module")}
        for name, module in graph_module.named_modules():
            within = any(name == target or name.startswith(f"{target}.") for target in called)
            if name and (not within or type(module).__module__.startswith("torch.export.")):
                yield f"{path}.{name}" if path else name


def _require_tensors_of_numbers(model: nn.Module) -> None:
    """Refuses layers that compute with tensors of PyTorch's quantised dtypes, which ``torch.export`` cannot trace.

    Raises:
        CaptureError: Names the first.
    """
    for path, module in model.named_modules():
        kind = type(module)
        if kind.__module__.startswith(QUANTISED):
            raise CaptureError(
                f"'{path or kind.__name__}' ({kind.__name__} of torch.ao.nn.quantized) computes with quantised "
                "tensors, which PyTorch exports into no graph: quantise the model by torchao's PT2E, or the ONNX file "
                "that torch.onnx.export writes of it by onnxruntime.quantization"
            )


QUANTISED = ("torch.ao.nn.quantized", "torch.ao.nn.intrinsic.quantized", "torch.ao.nn.sparse.quantized")
"""Where such layers are defined."""


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
