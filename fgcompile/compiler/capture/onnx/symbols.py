"""Arithmetic of numbers that may be symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from fgcompile.compiler.ir.torch_internals import statically_known_true

larger: Callable[[Any, Any], Any] = torch.sym_max
smaller: Callable[[Any, Any], Any] = torch.sym_min
integer: Callable[[Any], Any] = torch.sym_int
real: Callable[[Any], Any] = torch.sym_float
square_root: Callable[[Any], Any] = torch.sym_sqrt
negated: Callable[[Any], Any] = torch.sym_not


def decided(truth: bool | torch.SymBool) -> bool | torch.SymBool:
    """A comparison as a truth, where it is the same for all that its symbols may be."""
    if statically_known_true(truth):
        return True
    return False if statically_known_true(negated(truth)) else truth
