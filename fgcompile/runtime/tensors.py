"""From NumPy's arrays to PyTorch's tensors, for the runtimes that are PyTorch's."""

from __future__ import annotations

import torch

from fgcompile.artifact.validation import Array


def as_tensor(array: Array) -> torch.Tensor:
    """The array as a tensor, shared where torch can: it warns of read-only memory."""
    return torch.from_numpy(array if array.flags.writeable else array.copy())
