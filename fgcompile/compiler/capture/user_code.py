"""Which line is the user's: of a stack or a traceback, the innermost that neither PyTorch nor fgcompile wrote."""

from __future__ import annotations

import ast
import contextlib
import inspect
import linecache
import logging
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import torch
from torch import nn

from fgcompile.compiler.capture.scored import unwrapped_name

_OTHERS_CODE = (
    *(str(Path(torch.__file__).parent), str(Path(__file__).parents[2])),
    *(contextlib.__file__, logging.__file__, "<eval_with_key>"),
)


@dataclass(frozen=True)
class Place:
    """A line of the user's code, ``file:line`` as text."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"

    def is_assertion(self) -> bool:
        """Whether the line belongs to an ``assert``."""
        try:
            tree = ast.parse("".join(linecache.getlines(self.file)))
        except SyntaxError:  # code that was not read from a file of Python
            return False
        asserted = (node for node in ast.walk(tree) if isinstance(node, ast.Assert))
        return any(node.lineno <= self.line <= (node.end_lineno or node.lineno) for node in asserted)


def calling_line() -> Place | None:
    """The user's line that is being run, seen from any code that it calls."""
    return _innermost((frame, frame.f_lineno) for frame in _stack())


def own_line(file: str, line: int) -> Place | None:
    """A line, if it is the user's."""
    return None if file.startswith(_OTHERS_CODE) else Place(file, line)


def calling_layer(model: nn.Module) -> str | None:
    """The innermost layer of ``model`` whose own code is being run."""
    return _layer(model, _stack())


def failing_line(error: BaseException) -> Place | None:
    """The user's line that an error came from, or what caused it."""
    return next(filter(None, (_innermost(reversed(lines)) for lines in _tracebacks(error))), None)


def failing_layer(model: nn.Module, error: BaseException) -> str | None:
    """The innermost layer of ``model`` whose own code an error came from."""
    layers = (_layer(model, [frame for frame, _ in reversed(lines)]) for lines in _tracebacks(error))
    return next((layer for layer in layers if layer is not None), None)


def is_of_package(error: BaseException, package: str) -> bool:
    """Whether an error went through code of a package."""
    frames = (frame for lines in _tracebacks(error) for frame, _ in lines)
    return any(str(frame.f_globals.get("__name__", "")).startswith(package) for frame in frames)


def _stack() -> Iterator[FrameType]:
    frame = inspect.currentframe()
    while frame is not None:
        yield frame
        frame = frame.f_back


def _tracebacks(error: BaseException | None) -> Iterator[list[tuple[FrameType, int]]]:
    """The frames of an error, outermost first, and of what it was raised from."""
    while error is not None:
        yield list(traceback.walk_tb(error.__traceback__))
        error = error.__cause__ or error.__context__


def _innermost(lines: Iterator[tuple[FrameType, int]]) -> Place | None:
    for frame, line in lines:
        if place := own_line(frame.f_code.co_filename, line):
            return place
    return None


def _layer(model: nn.Module, frames: Iterator[FrameType] | list[FrameType]) -> str | None:
    paths = {id(module): unwrapped_name(path) for path, module in model.named_modules()}
    owners = (paths.get(id(frame.f_locals.get("self"))) for frame in frames)
    return next((path for path in owners if path is not None), None)
