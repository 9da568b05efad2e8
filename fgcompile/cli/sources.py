"""From what a user types to a model: ``package.module:callable``, a library's architecture, or a program file."""

from __future__ import annotations

import importlib
import inspect
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any, cast

from fgcompile.errors import MissingPackageError, SourceError

try:
    from torch import nn
except ImportError as error:
    raise MissingPackageError("models need torch: pip install 'fgcompile[compile]'") from error
from torch.export import ExportedProgram

from fgcompile.cli.source_names import FORMS, has_weights, install, module_of, read_name, require_configuration
from fgcompile.cli.transformers_internals import from_config
from fgcompile.cli.weights import load_weights, some
from fgcompile.compiler.sources import read_source
from fgcompile.errors import first_line

_OTHERS_CODE = (
    str(Path(__file__).parents[1]),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)
"""Where libraries are, and this package."""


def load_source(
    source: str,
    weights: Path | None = None,
    output: str | int | None = None,
    fixed: Mapping[str, float] | None = None,
    others: bool = False,
) -> nn.Module | ExportedProgram:
    """Builds or reads the model that ``source`` names, in eval mode, and loads ``weights`` into it.

    Args:
        source: ``package.module:callable`` (the current directory is searched too), ``torchvision:NAME``,
            ``torchvision:NAME.PART`` (a part of the model, such as a detector's ``backbone``), ``timm:NAME`` or
            ``transformers:PATH``, each with arguments as ``NAME?key=value&key=value`` (Python literals; anything else
            is a string); or the path of an ``.onnx`` model, a ``.pt2`` program or TorchScript, ``.pt``. PATH is a
            folder with a ``config.json``, and weights or else the model is random, or that file alone; its arguments
            replace values of the configuration, except that ``class`` names the class to build, such as
            ``AutoModelForSequenceClassification``: the configuration's own if it is left out.
        weights: A state dict, ``.safetensors``, or ``.pt``/``.pth`` (read with ``weights_only=True``), that must fit
            the model key for key and shape for shape.
        output: Of an ``.onnx`` file the tensor that is explained.
        fixed: Its inputs that are constants, by name.
        others: Whether it returns its other outputs too.

    Raises:
        SourceError: The source or the weights cannot be read, or do not fit.
    """
    named = read_name(source)
    if named.is_file:
        if weights is not None:
            raise SourceError(f"{source} carries its own weights: leave out --weights")
        return read_source(Path(named.name), output, fixed, others)
    build = _LIBRARY_LOADERS.get(named.scheme) or partial(_call, named.scheme)
    model = build(named.name, named.arguments)
    if weights is not None:
        load_weights(model, weights)
    return model.eval()


def _import(name: str, advice: str) -> Any:
    """Imports a module of the user's. Whatever its code raises is the user's to read, in one line."""
    try:
        return importlib.import_module(name)
    except Exception as error:
        line = _failing_line(error)
        advice = advice if line is None else f"mend {line}"
        if _is_of_torchvision(error):
            advice = f"it needs the torchvision built for the installed torch: {install('torchvision')}"
        raise SourceError(f"cannot import {name} ({_one_line(error)}): {advice}") from error


def import_callable(name: str) -> Callable[..., Any]:
    """What ``package.module:callable`` names; the current directory is searched too.

    Raises:
        SourceError: It cannot be imported, or is not callable.
    """
    module_name, _, attribute = name.partition(":")
    if module_name.endswith(".py"):
        raise SourceError(f"{module_name} is a file: name its module, {module_of(module_name)}:{attribute}")
    here = os.getcwd()
    if here not in sys.path:
        sys.path.insert(0, here)
    found = _import(module_name, f"check the name and the current directory; a source is {FORMS}")
    for part in attribute.split("."):
        holder, found = found, getattr(found, part, None)
    if not callable(found):
        near = [each for each in get_close_matches(part, dir(holder)) if callable(getattr(holder, each))]
        advice = f"perhaps {', '.join(near)}" if near else "name a function or class in it"
        raise SourceError(f"{module_name} has no callable named {attribute!r}: {advice}")
    return cast(Callable[..., Any], found)


def _call(module_name: str, attribute: str, arguments: Mapping[str, Any]) -> nn.Module:
    source = f"{module_name}:{attribute}"
    factory = import_callable(source)
    if isinstance(factory, nn.Module) and not arguments:
        return factory
    _require_arguments(source, factory, arguments)
    return _build(source, lambda: factory(**arguments))


def _require_arguments(source: str, factory: Callable[..., Any], arguments: Mapping[str, Any]) -> None:
    """Refuses arguments that a factory does not take, or lacks, before it is called."""
    try:
        signature = inspect.signature(factory)
    except (TypeError, ValueError):  # of C, which says it when it is called
        return
    try:
        signature.bind(**arguments)
    except TypeError as error:
        raise SourceError(
            f"{source} failed with {_one_line(error)}: give its arguments as {source}?key=value"
        ) from error


def _build(source: str, factory: Callable[[], Any]) -> nn.Module:
    try:
        model = factory()
    except Exception as error:  # the user's own code may raise anything; the error names it
        line = _failing_line(error)
        advice = f"give its arguments as {source}?key=value" if line is None else f"mend {line}, or call it otherwise"
        raise SourceError(f"{source} failed with {_one_line(error)}: {advice}") from error
    if not isinstance(model, nn.Module):
        raise SourceError(f"{source} returned a {type(model).__name__}, not a torch.nn.Module: return the model itself")
    return model


def _build_torchvision(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    models = _import("torchvision.models", install("torchvision"))
    architecture, _, part = name.partition(".")

    def build() -> Any:
        accepted = inspect.signature(models.get_model_builder(architecture)).parameters
        # A segmentation or detection network would download trained weights for its backbone.
        untrained = {key: None for key in ("weights", "weights_backbone") if key in accepted}
        model = models.get_model(architecture, **{**untrained, **arguments})
        return model.get_submodule(part) if part else model

    return _build(f"torchvision:{name}", build)


def _build_timm(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    timm = _import("timm", install("timm"))
    return _build(f"timm:{name}", lambda: timm.create_model(name, **{"pretrained": False, **arguments}))


def _build_transformers(name: str, arguments: Mapping[str, Any]) -> nn.Module:
    path = require_configuration(name)
    folder = path if path.is_dir() else path.parent
    transformers = _import("transformers", install("transformers"))
    if quieten := getattr(getattr(transformers.utils, "logging", None), "disable_progress_bar", None):
        quieten()  # of weights that are on this disk
    values = dict(arguments)
    class_name = values.pop("class", None)

    def build() -> Any:
        config, unknown = transformers.AutoConfig.from_pretrained(
            path, local_files_only=True, return_unused_kwargs=True, **values
        )
        if unknown:
            raise ValueError(f"{config.model_type} has no setting {some(list(unknown))}")
        config.use_cache = False  # a cache of keys and values is no output to explain
        # Attention is left at transformers' default, sdpa: its eager form takes the softmax in float32 at any dtype.
        chosen = class_name or next(iter(config.architectures or ()), "AutoModel")
        kind = getattr(transformers, chosen)
        if path.is_dir() and has_weights(folder):
            return _load_pretrained(kind, path, config)
        return from_config(kind, config)

    return _build(f"transformers:{name}", build)


def _load_pretrained(kind: Any, folder: Path, config: Any) -> nn.Module:
    model, report = kind.from_pretrained(
        folder,
        config=config,
        local_files_only=True,
        output_loading_info=True,
        ignore_mismatched_sizes=True,  # they are refused below, in one line
    )
    random = sorted(report["missing_keys"]) + sorted(key for key, *_ in report["mismatched_keys"])
    if random:
        raise ValueError(
            f"the weights do not fit {type(model).__name__}: keys missing or of another shape: {some(random)}"
        )
    return cast(nn.Module, model)


def _is_of_torchvision(error: BaseException | None) -> bool:
    """Whether torchvision is missing, or is of another build than torch, whoever imports it."""
    if error is None:
        return False
    missing = isinstance(error, ModuleNotFoundError) and str(error.name).partition(".")[0] == "torchvision"
    return missing or "torchvision::" in str(error) or _is_of_torchvision(error.__cause__ or error.__context__)


def _failing_line(error: BaseException) -> str | None:
    """``file:line`` of the user's code that an error came from; None where it came from a library alone."""
    if isinstance(error, SyntaxError) and error.filename and not error.filename.startswith((*_OTHERS_CODE, "<")):
        return f"{error.filename}:{error.lineno}"  # which no frame is of
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith((*_OTHERS_CODE, "<frozen"))]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _one_line(error: BaseException) -> str:
    kind, line = type(error).__name__, first_line(error)
    return kind if line == kind else f"{kind}: {line}"


_LIBRARY_LOADERS: dict[str, Callable[[str, Mapping[str, Any]], nn.Module]] = {
    "torchvision": _build_torchvision,
    "timm": _build_timm,
    "transformers": _build_transformers,
}
