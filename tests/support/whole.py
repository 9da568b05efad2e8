"""Which tests are whole: they fuse a model, make an artifact, run a program or start a server: seconds each.

``make test-quick`` leaves them out. Nobody lists them: what a test calls, and the fixtures that it takes, tell.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import pytest

FOLDERS = {"benchmarks", "demo", "end_to_end", "evidence", "examples"}
"""Folders of tests of which each sees a program from its beginning to its end."""

MUCH = ({"fgcompile", "compile"}, {"fuse"}, {"onnx", "export"}, {"subprocess"})
"""The names in a call that takes long, as ``fgcompile.compile(…)``, ``torch.onnx.export(…)``, ``subprocess.run(…)``."""

OURS = ("tests.", "benchmarks.")
"""Modules whose functions are followed."""


def mark_whole(items: list[pytest.Item]) -> None:
    """Marks the whole tests among those collected."""
    for item in items:
        if isinstance(item, pytest.Function) and _is_whole(item):
            item.add_marker(pytest.mark.whole)


def _is_whole(item: pytest.Function) -> bool:
    if FOLDERS & set(Path(item.path).parts):
        return True
    fixtures = item._fixtureinfo.name2fixturedefs.values()
    return _does_much(item.function) or any(_does_much(each.func) for group in fixtures for each in group)


@functools.cache
def _does_much(function: Callable[..., Any]) -> bool:
    """Whether it does one of ``MUCH``, or calls a function of the tests or benchmarks that does."""
    return any(names <= set(code.co_names) for code in _reachable(function) for names in MUCH)


def _reachable(function: Callable[..., Any]) -> Iterator[CodeType]:
    """The code of a function, of those inside it, and of those of ours that any of them names."""
    ahead, seen = [inspect.unwrap(function)], set()
    while ahead:
        current = ahead.pop()
        if not isinstance(current, FunctionType) or current in seen or not current.__module__.startswith(OURS):
            continue
        seen.add(current)
        for code in _nested(current.__code__):
            yield code
            ahead += [inspect.unwrap(each) for each in _named(code, current.__globals__) if callable(each)]


def _named(code: CodeType, known: dict[str, Any]) -> Iterator[Any]:
    """What a piece of code may call: what it names, and that in a module of ours, as in ``served.serving``."""
    for name in code.co_names:
        value = known.get(name)
        if isinstance(value, ModuleType) and value.__name__.startswith(OURS):
            yield from (getattr(value, attribute, None) for attribute in code.co_names)
        yield value


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)
