"""What capturing reads in a text of PyTorch's, since no type and no graph says it: the one place to mend."""

from __future__ import annotations

import logging

SHAPES_LOGGER = "torch.fx.experimental.symbolic_shapes"
"""Where PyTorch logs what it finds out about symbolic sizes."""


def became_a_number(record: logging.LogRecord) -> bool:
    """Whether a record of that logger says that a symbol has a single value from now on (PyTorch 2.11 to 2.13)."""
    return "range_refined_to_singleton" in record.getMessage()
