"""Requests of REST whose tensors stand as bytes behind their JSON, as the protocol's extension for binary data has it.

The SDK's own decoder (0.21) makes a Python list of every number, which took longer than a small network.
"""

from __future__ import annotations

from typing import Any

import orjson
from kserve import InferInput, InferRequest
from kserve.errors import InvalidInput

from fgcompile.serving.kserve.sdk_internals import RequestedOutput, set_raw_bytes


def decode(body: bytes, header: int, model: str) -> InferRequest:
    """The request in a body; its tensors are checked when they are made into arrays.

    Args:
        body: JSON, then the bytes of each tensor that names a ``binary_data_size``, in order.
        header: Bytes of JSON.
        model: The model that is asked.

    Raises:
        InvalidInput: The sizes do not fit the body.
        KeyError: The JSON lacks something.
    """
    if not 0 < header <= len(body):
        raise InvalidInput(f"the header of {header} bytes does not fit a body of {len(body)}: send its true size")
    request = orjson.loads(body[:header])
    inputs, position = [], header
    for given in request["inputs"]:
        tensor = InferInput(
            given["name"], given["shape"], given["datatype"], given.get("data"), given.get("parameters")
        )
        if "data" not in given:
            size = _read_size(given, len(body) - position)
            set_raw_bytes(tensor, body[position : position + size])
            position += size
        inputs.append(tensor)
    if position != len(body):
        raise InvalidInput(f"{len(body) - position} bytes belong to no tensor: send all, and no more")
    return InferRequest(
        model_name=model,
        infer_inputs=inputs,
        request_id=request.get("id"),
        parameters=request.get("parameters"),
        request_outputs=[
            RequestedOutput(output["name"], output.get("parameters")) for output in request.get("outputs") or ()
        ]
        or None,
    )


def _read_size(tensor: dict[str, Any], left: int) -> int:
    """The bytes that a tensor takes of the ``left`` ones."""
    size = (tensor.get("parameters") or {}).get("binary_data_size")
    if not isinstance(size, int) or size < 0:
        raise InvalidInput(f"{tensor['name']} has neither data nor a binary_data_size: send one of them")
    if size > left:
        raise InvalidInput(
            f"{tensor['name']} has a binary_data_size of {size}, {left} bytes are left: send all of them"
        )
    return size
