"""Which layer makes a number of a size that is to be dynamic, while a program is traced.

Once a symbol has a single value, it has it everywhere: nothing in the finished graph tells who gave it. So the sizes
are looked at behind every operator, on the way forward and on the way back.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import SymInt, Tensor, fx

from fgcompile.compiler.ir.nodes import layer_name
from fgcompile.compiler.ir.sizes import is_fixed

_LINE = re.compile(r'File "([^"]+)", line (\d+)')
_PYTORCH = str(Path(torch.__file__).parent)


class SizeWatch:
    """The sizes of the inputs that are symbols, and the operator behind which one of them no longer was.

    Attributes:
        culprit: That operator's node; None as long as there is none.
    """

    def __init__(self, inputs: Sequence[Tensor]) -> None:
        self.culprit: fx.Node | None = None
        self._sizes = [size for value in inputs for size in value.shape if isinstance(size, SymInt)]
        self._last: fx.Node | None = None

    def ran(self, node: fx.Node) -> None:
        """A node was evaluated."""
        self._last = node
        self.look()

    def differentiating(self, node: fx.Node) -> None:
        """The backward of a node begins, so that the one before has ended."""
        self.look()
        self._last = node

    def look(self) -> None:
        """Notes the last operator, if a size is fixed by now."""
        if self.culprit is None and any(map(is_fixed, self._sizes)):
            self.culprit = self._last

    def place(self) -> str:
        """The layer of the culprit, and its line in the user's code, in words; empty where neither is known."""
        self.look()
        if self.culprit is None:
            return ""
        lines = _LINE.findall(self.culprit.meta.get("stack_trace") or "")
        own = [f"{file}:{line}" for file, line in lines if not file.startswith(_PYTORCH)]
        return f"'{layer_name(self.culprit)}' ({self.culprit.target})" + (f" at {own[-1]}" if own else "")
