"""The one private name of Transformers that reading a source takes."""

from __future__ import annotations

from typing import Any


def from_config(kind: Any, config: Any) -> Any:
    """An untrained model of a class, in the dtype that the configuration names.

    An auto class has a public ``from_config``; one architecture's own has it with an underscore, and its constructor
    would take every model for float32 (Transformers 4 and 5).
    """
    return (getattr(kind, "from_config", None) or kind._from_config)(config)
