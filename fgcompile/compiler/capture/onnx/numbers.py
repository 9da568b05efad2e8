"""The numbers of a file's tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx_ir as ir


def numbers_of(tensor: ir.TensorProtocol) -> np.ndarray[Any, Any]:
    """A tensor's numbers; those that lie in a file are copied, and the file, mapped as a whole for each, is let go."""
    if not isinstance(tensor, ir.ExternalTensor):
        return tensor.numpy()
    array = np.array(tensor.numpy())
    tensor.release()
    return array
