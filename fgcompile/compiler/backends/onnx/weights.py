"""ONNX: the weights of a graph, taken out before it is serialised: none is copied until it is written, and then once.

    initializer = tensor  →  initializer = external_data {location, offset, length}

They are written behind each other into one file, and stay there where that is asked for or they are too many for one
file of protocol buffers; else the file's bytes are put together at the end (``fgcompile.artifact.pair``).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx_ir

from fgcompile.artifact.onnx_beside import inlined
from fgcompile.artifact.onnx_rewriting import Stretch
from fgcompile.artifact.onnx_skeleton import SMALLEST
from fgcompile.artifact.pair import OWN_NAME, Pair, aligned, write_weights
from fgcompile.artifact.seal import seal_onnx
from fgcompile.errors import OutputError
from fgcompile.system.leftovers import folder_of, new_folder

IN_MEMORY = 2**24
"""Bytes of constants that are not written to the disk to be tried: more would be in memory twice, or thrice."""


@dataclass(frozen=True)
class Weights:
    """Large tensors of a graph, in the order of their offsets."""

    tensors: Sequence[tuple[int, onnx_ir.TensorProtocol]]
    size: int


def take_out(model: onnx_ir.Model) -> Weights:
    """Replaces the graph's large tensors by where they are to lie."""
    tensors: list[tuple[int, onnx_ir.TensorProtocol]] = []
    end = 0
    for value in model.graph.initializers.values():
        tensor = value.const_value
        if tensor is None or tensor.nbytes < SMALLEST or tensor.dtype == onnx_ir.DataType.STRING:
            continue
        offset = aligned(end, tensor.nbytes)
        tensors.append((offset, tensor))
        end = offset + tensor.nbytes
        value.const_value = onnx_ir.ExternalTensor(
            OWN_NAME, offset, tensor.nbytes, tensor.dtype, shape=_shape(tensor), name=str(value.name)
        )
    return Weights(tensors, end)


def put_together(body: bytes, weights: Weights) -> bytes:
    """The artifact as one file, of few weights."""
    places = dict(weights.tensors)
    parts = inlined(body, lambda offset, length: _bytes(places[offset]))
    return seal_onnx(part for part in parts if not isinstance(part, Stretch))


def write_out(body: bytes, weights: Weights) -> Pair:
    """The artifact as two files, in a folder that is there for as long as the pair is.

    Raises:
        OutputError: The disk does not take them.
    """
    folder = new_folder()
    try:
        digest = write_weights(folder / OWN_NAME, ((offset, _bytes(tensor)) for offset, tensor in weights.tensors))
        pair = Pair(body, folder, digest, weights.size)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise OutputError(
            f"{folder}: takes no file of {weights.size / 2**30:.1f} GiB ({error.strerror}): "
            "set TMPDIR to a folder with room for it"
        ) from error
    folder_of(pair, folder)
    return pair


def _shape(tensor: onnx_ir.TensorProtocol) -> onnx_ir.Shape:
    return onnx_ir.Shape([int(size) for size in tensor.shape.numpy()])


def _bytes(tensor: onnx_ir.TensorProtocol) -> bytes | memoryview:
    """A tensor's bytes as they lie in memory, where they do."""
    if tensor.dtype.bitwidth < 8:
        return tensor.tobytes()
    array = np.ascontiguousarray(tensor.numpy())
    return array.reshape(-1).view(np.uint8).data
