"""What runs out of memory while compiling ends in one line; other errors stay what they are."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.compiler.ir.memory import is_out_of_memory, within_memory
from fgcompile.errors import InputError, VerificationError

TOO_MANY = 2**50


def test_a_check_that_runs_out_of_memory_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def checks(*given: Any) -> Any:
        return torch.empty(TOO_MANY)

    monkeypatch.setattr("fgcompile.compiler.fusing.make_checks", checks)
    with pytest.raises(VerificationError, match="out of memory: the checks run"):
        fgcompile.compile(nn.Linear(3, 2).eval(), torch.ones(2, 3))


def test_other_errors_pass() -> None:
    with pytest.raises(InputError, match="out of memory"), within_memory():
        raise InputError("a file called 'out of memory'")
    with pytest.raises(ZeroDivisionError), within_memory():
        _ = 1 / 0
    assert is_out_of_memory(MemoryError())
