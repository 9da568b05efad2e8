"""A model given as a file: what ``compile``, ``full_gradient`` and ``verify`` take beside modules and programs."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram

from fgcompile.artifact.wishes import class_of
from fgcompile.compiler.capture.binding import argument_names, bind_inputs, input_names
from fgcompile.compiler.capture.class_names import names_of
from fgcompile.compiler.capture.exported_program import read_exported_program
from fgcompile.compiler.capture.models import require_model
from fgcompile.compiler.capture.onnx.batch import follow_batch
from fgcompile.compiler.capture.onnx.comparison import compare_with_runtime
from fgcompile.compiler.capture.onnx.facts import sizes_of
from fgcompile.compiler.capture.onnx.model import OnnxModel
from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.compiler.capture.pickled import require_no_pickle
from fgcompile.compiler.capture.torchscript import convert_torchscript, read_torchscript
from fgcompile.compiler.examples import Inputs, hold, with_tensors
from fgcompile.compiler.ir.fixed_batch import FixedBatchError
from fgcompile.compiler.labels import OwnLabels
from fgcompile.compiler.request import Model, Request
from fgcompile.errors import CaptureWarning, InputError, SourceError

__all__ = [
    "SUFFIXES",
    "OnnxModel",
    "Opened",
    "input_names",
    "open_model",
    "read_model",
    "read_source",
    "require_read",
    "sizes_of",
]

OWN_LABELS = "_fgcompile_labels"
"""An attribute of a model: the classes' names that its source was found to have, or none that are to be taken."""

RANDOM_WEIGHTS = "_fgcompile_random_weights"
"""An attribute of a model: whether its source is known to have made it without trained weights."""

SUFFIXES = (".onnx", ".pt2", ".pt", ".pth")
"""Of the files that are models."""


@dataclass(frozen=True)
class Opened:
    """A model, read if it was a file, and the examples of its inputs.

    Attributes:
        model: A module or an exported program.
        inputs: Examples: those given, or the file's own.
        explained: Of an ONNX file the tensor that is explained, in words; else None.
        labels: What the file, or the model's configuration, says of the classes' names.
        fixed: Its inputs that are constants.
        output: Which of the model's outputs is explained.
        alone: Whether it is a file that takes one sample alone, and is to be captured so.
        random: Whether its weights are known to be random; or the names of parameters that are, and may be read or not.
    """

    model: Model
    inputs: Inputs
    explained: str | None = None
    labels: OwnLabels = field(default_factory=OwnLabels)
    fixed: Mapping[str, float] = field(default_factory=dict)
    output: str | int | None = None
    alone: bool = False
    random: bool | Collection[str] = False


def open_model(source: Model | str | Path, example_inputs: Any, request: Request) -> Opened:
    """The model that is meant, and examples for it.

    Args:
        source: A module, an exported program, or the path of an ``.onnx`` model, a ``.pt2`` program or
            a ``.pt`` of ``torch.jit.save``.
        example_inputs: As for ``compile``; None for what a file says of its inputs. In a mapping for an ONNX file, a
            number in the place of a tensor fixes that input.
        request: Which output is explained, and where inputs have their batch.

    Raises:
        InputError: There are no examples, and ``source`` has none.
        SourceError: The file cannot be read.
        UnsupportedOpError: An ONNX file has operators that are not read.
        VerificationError: A file was read otherwise than ONNX Runtime does.
    """
    example_inputs = with_tensors(example_inputs)
    fixed = _numbers(example_inputs) if isinstance(source, str | Path) else {}
    if fixed:
        example_inputs = {name: value for name, value in example_inputs.items() if name not in fixed} or None
    model = read_model(source, request, fixed)
    if example_inputs is None:
        example_inputs = _own_examples(model, request.layouts)
    if isinstance(model, torch.jit.ScriptModule):
        return Opened(convert_torchscript(model, example_inputs), example_inputs, output=request.output)
    if isinstance(model, OnnxModel):
        examples = _by_name(model, example_inputs)
        if model.of_bytes:
            examples = example_inputs = _real(model, examples)
        _tell_float32(model)
        model.alone = not _takes_any_batch(model, examples, request)
        compare_with_runtime(model, examples)
        labels, described = _labels_of_file(model), model.explained.describe()
        return Opened(model, example_inputs, described, labels, model.fixed, model.asked, model.alone)
    random: bool | Collection[str] = getattr(model, RANDOM_WEIGHTS, False)
    return Opened(model, example_inputs, labels=_own_labels(model), output=request.output, random=random)


def completed(request: Request, opened: Opened) -> Request:
    """The request with the output that is explained, and with the numbers of the classes that a score has by name.

    Raises:
        InputError: The target is the name of none of the classes; whether the names are as many as the classes is
            known of the captured model alone.
    """
    labels = opened.labels.names if request.labels is None else request.labels
    target = class_of(request.target, labels)
    if callable(target) and target is not request.target:  # before it is captured; the labels then have to fit
        request = replace(request, target=target, labels=labels)
    return replace(request, output=opened.output)


def _takes_any_batch(model: OnnxModel, examples: Mapping[str, Tensor], request: Request) -> bool:
    """Whether a file takes any batch, its nodes changed where they have to be; else one sample, as it stands.

    Raises:
        CaptureError: A node fixes the batch, and no batch is asked for, or it is fixed at several samples.
    """
    try:
        follow_batch(model, examples, request.layouts)
    except FixedBatchError:
        if request.batch is None or any(model.batch_axes):
            raise
        model.unchange()
        return False
    return True


def _labels_of_file(model: OnnxModel) -> OwnLabels:
    problem = model.labels_problem
    return OwnLabels(model.labels, str(model.path), None if problem is None else f"{model.path}: {problem}")


def _own_labels(model: Model) -> OwnLabels:
    """The classes' names that are known of a model, or stand in its configuration, but those that are mere numbers."""
    given: tuple[str, ...] | None = getattr(model, OWN_LABELS, None)
    if given is not None:
        return OwnLabels(given or None)
    named = getattr(getattr(model, "config", None), "id2label", None)
    if not isinstance(named, Mapping) or not named:
        return OwnLabels()
    found, origin = names_of(named), "the model's configuration"
    return OwnLabels(found.names, origin, None if found.problem is None else f"{origin}: its id2label {found.problem}")


def read_model(source: Model | str | Path, request: Request, fixed: Mapping[str, float] | None = None) -> Model:
    """The model: what was given, or what its file holds, as ``read_source``.

    Raises:
        InputError: What was given is no model.
    """
    if not isinstance(source, str | Path):
        if not isinstance(source, OnnxModel | torch.nn.Module):
            require_model(source)
        return source
    return read_source(Path(source), request.output, fixed, "model" in request.outputs)


def read_source(
    path: Path,
    output: str | int | None = None,
    fixed: Mapping[str, float] | None = None,
    others: bool = False,
) -> Model:
    """The model of a file, by its suffix.

    Args:
        path: The file.
        output: Of an ONNX file the tensor that is explained.
        fixed: Of an ONNX file the inputs that are constants, by name.
        others: Whether an ONNX file's other outputs are returned too.

    Raises:
        SourceError: It is no such file, or cannot be read.
        UnsupportedOpError: An ONNX file has operators that are not read.
    """
    if path.is_file() and path.suffix != ".onnx":
        require_no_pickle(path)
    if path.suffix not in SUFFIXES:
        raise SourceError(f"cannot tell what model '{path}' is: give a file that ends in {' or '.join(SUFFIXES)}")
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    if path.suffix == ".onnx":
        return read_onnx(path, output, fixed, others=others)
    if fixed:
        raise SourceError(f"{path} takes tensors alone: only inputs of an .onnx file can be fixed")
    return read_exported_program(path) if path.suffix == ".pt2" else read_torchscript(path)


def _by_name(model: OnnxModel, given: Inputs) -> dict[str, Tensor]:
    """Examples by the file's names."""
    require_read(model, given[-1] if isinstance(given, tuple | list) and given else given)
    bound, values = bind_inputs(model, hold(given))
    return dict(zip(argument_names(bound, len(values)), values, strict=True))


def _real(model: OnnxModel, examples: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The examples of inputs that are bytes in the file as real numbers, which is said."""
    warnings.warn(
        f"{model.path} takes {', '.join(map(repr, model.of_bytes))} as bytes, of which there is no gradient: the "
        "artifact takes the same numbers as float32",
        CaptureWarning,
        stacklevel=3,
    )
    return {name: value.float() if name in model.of_bytes else value for name, value in examples.items()}


def _tell_float32(model: OnnxModel) -> None:
    """Says which inputs are of other floats in the file than in the artifact, which clients have to know."""
    others = [fact for fact in model.inputs if fact.dtype.is_floating_point and fact.dtype != torch.float32]
    real = [f"'{fact.name}' ({str(fact.dtype).removeprefix('torch.')})" for fact in others if not fact.of_bytes]
    if real:
        warnings.warn(
            f"{model.path} takes {', '.join(real)}: the artifact computes in float32, and takes that",
            CaptureWarning,
            stacklevel=3,
        )


def require_read(model: OnnxModel, given: Any) -> None:
    """Refuses an example, of those by name, of an input of the file that nothing explained is computed of.

    Raises:
        InputError: There is one; names it.
    """
    unread = [name for name in given if name in model.unread] if isinstance(given, Mapping) else []
    if unread:
        raise InputError(
            f"nothing that is explained of {model.source_name} is computed of {', '.join(map(repr, unread))}, which "
            f"the artifact does not take: give examples of {', '.join(map(repr, model.input_names))} alone"
        )


def _numbers(example_inputs: Any) -> dict[str, float]:
    """Of inputs by name those that are numbers, not tensors."""
    if not isinstance(example_inputs, Mapping):
        return {}
    return {name: value for name, value in example_inputs.items() if isinstance(value, int | float)}


def _own_examples(model: Model, layouts: Mapping[str, str]) -> Inputs:
    if isinstance(model, OnnxModel):
        return model.example_inputs(layouts)
    if isinstance(model, ExportedProgram) and model.example_inputs is not None:
        args, keywords = model.example_inputs
        if all(isinstance(value, Tensor) for value in (*args, *keywords.values())):
            return (*args, dict(keywords)) if keywords else tuple(args)
    raise InputError("example_inputs is None: pass a tensor (N, …) or several; only files say what they take")
