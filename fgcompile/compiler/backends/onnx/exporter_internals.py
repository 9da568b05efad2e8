"""Every name of PyTorch's ONNX exporter that this back end uses beside ``torch.onnx.export``, as of 2.11 to 2.13.

Half of the exporter's time goes into two things that are known before: ``docs/decisions/onnx-export.md``.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from torch.fx import Node
from torch.onnx._internal.exporter._registration import ONNXRegistry
from torch.onnx._internal.fx.passes import type_promotion

__all__ = ["without_repetition"]


class PromotionByKnownValues(type_promotion._TypePromotionInterpreter):
    """The exporter's pass that makes each promotion of dtypes a node, on the values that the nodes have already.

    The exporter's own computes every node once more, on fake tensors, for values that ``meta["val"]`` holds.
    """

    def run_node(self, n: Node) -> Any:
        """Promotes the arguments as the exporter does, and answers with the node's value."""
        if n.op != "call_function" or "val" not in n.meta:
            return super().run_node(n)
        with self._set_current_node(n):
            if rule := type_promotion.get_type_promotion_rule(n, self.type_promotion_table):
                self._maybe_promote_node(n, rule)
        return n.meta["val"]


_registry = functools.cache(ONNXRegistry.from_torchlib)
"""The table of translations, which the exporter reads and does not change unless it is given translations of ours."""


@contextmanager
def without_repetition() -> Iterator[None]:
    """While it is open, an export takes from what is known what else it would work out again, to the same file.

    This replaces names of PyTorch's modules, so it is for who holds the turn (``turns``).
    """
    with (
        patch.object(type_promotion, "_TypePromotionInterpreter", PromotionByKnownValues),
        patch.object(ONNXRegistry, "from_torchlib", staticmethod(_registry)),
    ):
        yield
