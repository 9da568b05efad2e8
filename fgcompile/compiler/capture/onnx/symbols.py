"""Arithmetic of numbers that may be symbols."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from fgcompile.compiler.ir.torch_internals import holds_at_ones, statically_known_true

larger: Callable[[Any, Any], Any] = torch.sym_max
smaller: Callable[[Any, Any], Any] = torch.sym_min
integer: Callable[[Any], Any] = torch.sym_int
real: Callable[[Any], Any] = torch.sym_float
square_root: Callable[[Any], Any] = torch.sym_sqrt
negated: Callable[[Any], Any] = torch.sym_not


def decided(truth: bool | torch.SymBool) -> bool | torch.SymBool:
    """A comparison as a truth, where it is the same for all that its symbols may be, a single sample too."""
    if not isinstance(truth, torch.SymBool):
        return truth
    for known, always in ((True, statically_known_true(truth)), (False, statically_known_true(negated(truth)))):
        if always and holds_at_ones(truth) is known:
            return known
    return truth
