"""Indices that a model computes of its inputs and that lie nowhere: what runtimes say of them, and what we say."""

from __future__ import annotations

import re

OUT_OF_RANGE = (
    "an index that the model computes of its inputs is out of range, such as the position of a token where a text is "
    "longer than the model has positions: give other inputs"
)
"""The message, of every runtime."""

_SIGNS = re.compile(
    r"invalid index found|indices element out of data bounds|index \S+ is out of bounds|index out of (range|bounds)"
)


def is_out_of_range(error: BaseException) -> bool:
    """Whether a runtime's error says that an index has no place: ONNX Runtime's, TorchScript's or a package's."""
    return _SIGNS.search(str(error)) is not None
