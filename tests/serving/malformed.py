"""Requests that nobody should send, drawn at random: each is refused, and says why."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import numpy as np

Tensor = dict[str, Any]
"""``name``, ``datatype``, ``shape`` and ``raw`` bytes of a tensor, whatever they say of each other."""


def valid(generator: random.Random) -> list[Tensor]:
    """The tensors of a request that the tiny artifact answers."""
    batch = generator.randint(1, 4)
    x = np.random.default_rng(generator.randrange(2**32)).normal(size=(batch, 3, 4, 4)).astype(np.float32)
    target = np.array([generator.randint(-1, 4) for _ in range(batch)])
    return [
        {"name": "x", "datatype": "FP32", "shape": list(x.shape), "raw": x.tobytes()},
        {"name": "target", "datatype": "INT64", "shape": [batch], "raw": target.tobytes()},
    ]


def _wrong_dtype(tensors: list[Tensor], generator: random.Random) -> None:
    tensor = generator.choice(tensors)
    kinds = ["BOOL", "INT8", "UINT16", "FP64", "FP16", "BYTES", "BF16", "", "float", "FP32 "]
    tensor["datatype"] = generator.choice([kind for kind in kinds if kind != tensor["datatype"]])


def _wrong_shape(tensors: list[Tensor], generator: random.Random) -> None:
    tensor = generator.choice(tensors)
    shape = list(tensor["shape"])
    axis = generator.randrange(len(shape))
    match generator.randrange(5):
        case 0:
            shape[axis] += generator.choice([1, 2, 2**31, 2**62])
        case 1:
            shape[axis] = -shape[axis]
        case 2:
            shape.insert(axis, 7)
        case 3:
            shape[axis] = 0
        case _:
            shape = [1] * generator.choice([9, 40, 100]) + shape
    tensor["shape"] = shape


def _not_finite(tensors: list[Tensor], generator: random.Random) -> None:
    x = np.frombuffer(tensors[0]["raw"], np.float32).copy()
    x[generator.randrange(x.size)] = generator.choice([np.nan, np.inf, -np.inf])
    tensors[0]["raw"] = x.tobytes()


def _wrong_length(tensors: list[Tensor], generator: random.Random) -> None:
    tensor = generator.choice(tensors)
    cut = generator.randrange(len(tensor["raw"]))
    tensor["raw"] = tensor["raw"][:cut] if generator.random() < 0.5 else tensor["raw"] + bytes(cut + 1)


def _wrong_class(tensors: list[Tensor], generator: random.Random) -> None:
    (batch,) = tensors[1]["shape"]
    tensors[1]["raw"] = np.full(batch, generator.choice([5, -2, 2**40, -(2**62)])).tobytes()


def _unknown_name(tensors: list[Tensor], generator: random.Random) -> None:
    generator.choice(tensors)["name"] = generator.choice(["y", "", "X", "x ", "explain", "\u0000", "x" * 5000])


def _missing(tensors: list[Tensor], generator: random.Random) -> None:
    del tensors[0 if generator.random() < 0.7 else slice(None)]


def _twice(tensors: list[Tensor], generator: random.Random) -> None:
    tensors.append(dict(generator.choice(tensors)))


def _batches_differ(tensors: list[Tensor], _: random.Random) -> None:
    (batch,) = tensors[1]["shape"]
    tensors[1] |= {"shape": [batch + 1], "raw": np.zeros(batch + 1, np.int64).tobytes()}


def _too_many(tensors: list[Tensor], _: random.Random) -> None:
    del tensors[1:]
    tensors[0] |= {"shape": [33, 3, 4, 4], "raw": bytes(4 * 33 * 48)}


FAULTS: tuple[Callable[[list[Tensor], random.Random], None], ...] = (
    _wrong_dtype,
    _wrong_shape,
    _not_finite,
    _wrong_length,
    _wrong_class,
    _unknown_name,
    _missing,
    _twice,
    _batches_differ,
    _too_many,
)


def malformed(generator: random.Random) -> list[Tensor]:
    """A request with one fault."""
    tensors = valid(generator)
    generator.choice(FAULTS)(tensors, generator)
    return tensors


def rest_body(tensors: list[Tensor]) -> tuple[bytes, dict[str, str]]:
    """A request as REST takes it, tensors behind the JSON, and its headers."""
    inputs = [
        {key: tensor[key] for key in ("name", "datatype", "shape")}
        | {"parameters": {"binary_data_size": len(tensor["raw"])}}
        for tensor in tensors
    ]
    head = json.dumps({"inputs": inputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head)), "Content-Type": "application/octet-stream"}
    return head + b"".join(tensor["raw"] for tensor in tensors), headers


def broken_body(generator: random.Random) -> tuple[bytes, dict[str, str]]:
    """A body that is not a request at all, or not the one that its headers and lengths announce."""
    body, headers = rest_body(valid(generator))
    head = int(headers["Inference-Header-Content-Length"])
    as_json = {"Content-Type": "application/json"}
    match generator.randrange(8):
        case 0:
            return generator.randbytes(generator.randrange(2000)), generator.choice([headers, as_json])
        case 1:
            length = generator.choice(["-1", "0", str(10**9), "x", "", str(head - 7), str(head + 9)])
            return body, headers | {"Inference-Header-Content-Length": length}
        case 2:
            depth = generator.choice([100, 5000, 100_000])
            return b"[" * depth + b"]" * depth, as_json
        case 3:
            fault = generator.choice(["null", "[]", "{}", '"x"', "1e999", '{"inputs": 1}', '{"inputs": [[]]}'])
            return fault.encode(), as_json
        case 4:
            size = generator.choice([-1, 0, 10**12, "x", None, 1.5, [], True])
            inputs = [
                {"name": "x", "datatype": "FP32", "shape": [1, 3, 4, 4], "parameters": {"binary_data_size": size}}
            ]
            changed = json.dumps({"inputs": inputs}).encode()
            return changed + body[head:], headers | {"Inference-Header-Content-Length": str(len(changed))}
        case 5:
            data = generator.choice([[1, 2], ["a"] * 48, [[1], [2, 3]], [None] * 48, {}, 7, [1e400] * 48, [True] * 3])
            inputs = [{"name": "x", "datatype": "FP32", "shape": [1, 3, 4, 4], "data": data}]
            return json.dumps({"inputs": inputs}).encode(), as_json
        case 6:
            shape = generator.choice([None, "x", [1.5, 3, 4, 4], [[1], 3, 4, 4], [None], {}, [2**70, 3, 4, 4]])
            inputs = [{"name": "x", "datatype": "FP32", "shape": shape, "data": [0.0] * 48}]
            return json.dumps({"inputs": inputs}).encode(), as_json
        case _:
            outputs = generator.choice([[{"name": "map"}], [{}], ["logits"], 3, [{"name": None}]])
            inputs = [{"name": "x", "datatype": "FP32", "shape": [1, 3, 4, 4], "data": [0.0] * 48}]
            return json.dumps({"inputs": inputs, "outputs": outputs}).encode(), as_json
