"""What can be run of an artifact that was just compiled: nothing that would refuse it."""

from __future__ import annotations

import contextlib
import keyword
import re
import shlex
from pathlib import Path

from fgcompile.artifact.elements import Element, class_axis, output_axes, plain
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.names import DYNAMIC, LOGITS
from fgcompile.artifact.validation import input_specs
from fgcompile.artifact.wishes import read_element
from fgcompile.errors import InputError
from fgcompile.pictures.images import photo_shape

_BEST = 3

_PHOTO = "photo.jpg"

_CHANNELS = (1, 3)
"""Of pictures, grey or in colour."""


def python_calls(metadata: Metadata) -> list[str]:
    """Calls of ``Session.explain``, without a target and, where one is an input, with it; of a text where it can be."""
    if "tokenizer" in metadata:
        return ['session.explain_text("…")']
    x = _inputs(metadata)
    calls = [f"session.explain({x})"]
    if metadata["target"] == "input":
        count = metadata.get("targets")
        several = 1 if count is None else _BEST if count == DYNAMIC else int(count)
        elements = [plain(_example(metadata, number)) for number in range(min(several, _BEST))]
        if several > _BEST:
            calls.append(f"session.explain({x}, target=[{elements[0]}, …])  # {several} of them")
        else:
            calls.append(f"session.explain({x}, target={elements[0] if count is None else elements})")
    return calls


def _inputs(metadata: Metadata) -> str:
    """What a call is given: the path of a photo where there is one, and arrays."""
    specs = input_specs(metadata)
    names = [_variable(spec["name"]) for spec in specs]
    if not takes_pictures(metadata):
        return f"({', '.join(names)})" if len(names) > 1 else names[0]
    others = [f'"{spec["name"]}": {name}' for spec, name in zip(specs[1:], names[1:], strict=True)]
    return f'{{"{specs[0]["name"]}": "{_PHOTO}", {", ".join(others)}}}' if others else f'"{_PHOTO}"'


def takes_pictures(metadata: Metadata) -> bool:
    """Whether a picture's file is one of its inputs."""
    with contextlib.suppress(InputError):
        return photo_shape(metadata, alone=False)[2] in _CHANNELS
    return False


def _variable(name: str) -> str:
    """A name of Python's for an input that a file calls anything, such as ``images:0``."""
    plain = re.sub(r"\W", "_", name)
    return plain if plain.isidentifier() and not keyword.iskeyword(plain) else f"input_{plain}"


def commands(metadata: Metadata, path: Path) -> list[str]:
    """Commands for the shell: none for an artifact that takes neither texts nor photos, or makes no map of them."""
    if "tokenizer" in metadata:
        return [f'fgcompile explain {shlex.quote(str(path))} "…" -o explained']
    try:
        _, _, channels = photo_shape(metadata)
    except InputError:
        return []
    if all(spec["name"] != "saliency" for spec in metadata["outputs"]):
        return []
    photo = _PHOTO if channels in _CHANNELS else "photo.npy"
    command = f"fgcompile explain {shlex.quote(str(path))} {photo} -o explained"
    return [command, *(f"{command} {option}" for option in _options(metadata))]


def _options(metadata: Metadata) -> list[str]:
    """What can be asked beside the largest, where the target is an input."""
    if metadata["target"] != "input":
        return []
    options = [f"--target {shlex.quote(_words(_example(metadata), metadata))}"]
    axes, classes = output_axes(metadata), class_axis(metadata)
    size = axes[classes]["size"] if axes and classes is not None else None
    best = min(_BEST, size) if isinstance(size, int) else _BEST
    known = any(spec["name"] == LOGITS for spec in metadata["outputs"])  # which are the best
    return [*options, f"--top {best}"] if known and best > 1 else options


def _words(element: Element, metadata: Metadata) -> str:
    """How ``--target`` says an element: a class by its name, if that says which."""
    labels = metadata["labels"]
    if len(element) == 1 and labels is not None:
        with contextlib.suppress(InputError):
            if read_element(labels[element[0]], metadata) == element:
                return labels[element[0]]
    return ",".join(map(str, element))


def _example(metadata: Metadata, number: int = 0) -> Element:
    """An element in the middle of the output, or one so many behind it on the last axis."""
    sizes = [axis["size"] for axis in output_axes(metadata)] or [1]
    places = [size // 2 if isinstance(size, int) else 0 for size in sizes]
    last = sizes[-1]
    return (*places[:-1], (places[-1] + number) % last if isinstance(last, int) else places[-1])
