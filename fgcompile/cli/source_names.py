"""What a user calls a model, read before anything is imported, so that a mistake is told at once."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fgcompile.artifact.seal import is_sealed
from fgcompile.cli.paths import require_files
from fgcompile.errors import MissingPackageError, SourceError

FORMS = "package.module:callable, torchvision:NAME, timm:NAME, transformers:PATH, or an .onnx, .pt2 or .pt file"
SUFFIXES = (".onnx", ".pt2", ".pt", ".pth")
"""The files that are models by themselves; of weights alone that is told when they are read."""

WEIGHTS = (".safetensors", ".ckpt", ".bin")
"""Files that are none, and are taken for one."""

LIBRARIES = ("torchvision", "timm", "transformers")
"""The schemes that are no modules of the user's."""

_INDEX = "https://download.pytorch.org/whl/"

_TRANSFORMERS_WEIGHTS = ("model*.safetensors", "pytorch_model*.bin")


@dataclass(frozen=True)
class SourceName:
    """A source, taken apart.

    Attributes:
        text: As it was given.
        scheme: The module or library in front; empty for a file.
        name: What is behind it, or the file's path.
        arguments: Those behind ``?``.
    """

    text: str
    scheme: str
    name: str
    arguments: Mapping[str, Any]

    @property
    def is_file(self) -> bool:
        """Whether it is a file that is a model by itself."""
        return not self.scheme

    def is_random(self, weights: Path | None) -> bool:
        """Whether a library builds it without weights."""
        if self.scheme == "transformers" and weights is None:
            path = Path(self.name)
            return not (path.is_dir() and has_weights(path))
        key = {"torchvision": "weights", "timm": "pretrained"}.get(self.scheme)
        return key is not None and weights is None and not self.arguments.get(key)


def read_name(source: str) -> SourceName:
    """Takes a source apart.

    Raises:
        SourceError: It is none.
    """
    if Path(source).suffix in (*SUFFIXES, *WEIGHTS):
        return SourceName(source, "", source, {})
    scheme, separator, rest = source.partition(":")
    if not separator or not rest:
        raise SourceError(f"cannot tell what model {source!r} is: give {FORMS}")
    name, _, query = rest.partition("?")
    return SourceName(source, scheme, name, _read_arguments(query))


def has_weights(folder: Path) -> bool:
    """Whether a folder of Transformers has weights beside its configuration."""
    return any(any(folder.glob(pattern)) for pattern in _TRANSFORMERS_WEIGHTS)


def require_there(source: SourceName, weights: Path | None) -> None:
    """Refuses what cannot be loaded because it is not there, or because nothing is there to load it with.

    Raises:
        MissingPackageError: torch is not installed.
        SourceError: There is no such file, module or library; or a file was given weights, which it has, or is an
            artifact.
        InputError: The weights are no file.
    """
    if find_spec("torch") is None:
        raise MissingPackageError("models need torch: pip install 'fgcompile[compile]'")
    if source.is_file:
        if weights is not None:
            raise SourceError(f"{source.text} carries its own weights: leave out --weights")
        if not Path(source.name).is_file():
            raise SourceError(f"{source.name}: no such file")
        if is_sealed(Path(source.name)):
            raise SourceError(f"{source.name} is compiled already: fgcompile.load it, or give what it was made from")
    elif source.scheme in LIBRARIES:
        if find_spec(source.scheme) is None:
            raise SourceError(f"cannot import {source.scheme}: {install(source.scheme)}")
        if source.scheme == "transformers":
            require_configuration(source.name)
    else:
        _require_module(source.scheme, source.name)
    require_files({"--weights": weights})


def install(library: str) -> str:
    """How a library is installed; torchvision of the very build that torch is of, from the index that it came from."""
    if library == "torchvision":
        torch = version("torch")
        build = torch.partition("+")[2]
        return f"pip install torch=={torch} torchvision" + (f" --index-url {_INDEX}{build}" if build else "")
    first = f"{install('torchvision')}, then " if library == "timm" and find_spec("torchvision") is None else ""
    return f"{first}pip install {library}"


def require_kept(output: Path, *sources: Path | None) -> None:
    """Refuses to write an artifact over what it is made of.

    Raises:
        SourceError: Names it.
    """
    for source in sources:
        if source is not None and output.exists() and source.exists() and output.samefile(source):
            raise SourceError(f"{output} is what it would be made of, and would be replaced: give another -o")


def require_configuration(name: str) -> Path:
    """The path of a model of Transformers: a folder with its configuration, or that file.

    Raises:
        SourceError: There is none.
    """
    path = Path(name)
    if not (path / "config.json" if path.is_dir() else path).is_file():
        raise SourceError(f"transformers:{name}: no such config.json, nor a folder with one: give a local path")
    return path


def module_of(path: str) -> str:
    """What a file is called to be imported from the current folder: ``nets/own.py`` is ``nets.own``."""
    parts = Path(path).with_suffix("").parts
    return ".".join(parts) if all(part.isidentifier() for part in parts) else Path(path).stem


def _require_module(module: str, attribute: str) -> None:
    if module.endswith(".py"):
        raise SourceError(f"{module} is a file: name its module, {module_of(module)}:{attribute}")
    if not is_module(module):
        raise SourceError(
            f"cannot import {module.partition('.')[0]} (there is no such module): check the name and the current "
            f"directory; a source is {FORMS}"
        )


def is_module(name: str) -> bool:
    """Whether there is such a module, or the package that it would be in, in the current folder or installed."""
    top = name.partition(".")[0]
    try:
        return PathFinder.find_spec(top, [os.getcwd()]) is not None or find_spec(top) is not None
    except ValueError:  # no name at all, or a module that was made by hand
        return top in sys.modules


def _read_arguments(query: str) -> dict[str, Any]:
    """``key=value&key=value``: Python's literals, and anything else as a string."""
    arguments: dict[str, Any] = {}
    for pair in filter(None, query.split("&")):
        key, separator, text = pair.partition("=")
        if not separator or not key.isidentifier():
            raise SourceError(f"cannot read the argument {pair!r}: write name?key=value&key=value")
        try:
            arguments[key] = ast.literal_eval(text)
        except (ValueError, SyntaxError):  # not a literal: a bare word is a string
            arguments[key] = text
    return arguments
