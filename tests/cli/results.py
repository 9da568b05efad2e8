"""What a command printed, and how it ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    status: int
    out: str
    err: str


Run = Callable[..., Result]


def assert_one_line_error(result: Result, message: str) -> None:
    assert result.status == 2, result
    assert result.out == ""
    assert result.err.startswith("fgcompile: error: ")
    assert message in result.err
    assert result.err.count("\n") == 1
