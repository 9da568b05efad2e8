"""Answers of REST, in parts: JSON, with values as numbers, or as bytes behind it where the client asks for them."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson

from fgcompile.artifact.validation import Array
from fgcompile.runtime.finite import describe_overflow
from fgcompile.serving.protocol import texts
from fgcompile.serving.protocol.messages import WARNING, Request, Wanted
from fgcompile.serving.protocol.tensors import DATATYPES

CHUNK = 1 << 14
"""Numbers that are written at once."""


@dataclass(frozen=True)
class Answer:
    """A body, and how much of it is JSON where bytes stand behind that."""

    parts: list[bytes | memoryview]
    json_size: int | None

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return sum(map(len, self.parts))


def encode(request: Request, model: str, outputs: Mapping[str, Array]) -> Answer:
    """The answer to a request, from the model's outputs; JSON has null for NaN and infinity."""
    wanted = request.wanted or [Wanted(name, request.binary) for name in outputs]
    found = describe_overflow({output.name: outputs[output.name] for output in wanted})
    parameters = None if found is None else {WARNING: found}
    head = {"model_name": model, "model_version": None, "id": request.id or str(uuid.uuid4()), "parameters": parameters}
    parts: list[bytes | memoryview] = [orjson.dumps(head)[:-1], b',"outputs":[']
    raw: list[bytes | memoryview] = []
    for number, output in enumerate(wanted):
        value = np.ascontiguousarray(outputs[output.name])
        described: dict[str, Any] = {
            "name": output.name,
            "shape": list(outputs[output.name].shape),
            "datatype": DATATYPES[value.dtype],
        }
        parts.append(b"," if number else b"")
        if output.binary:
            content = texts.to_raw(value.flat) if value.dtype == texts.DTYPE else value.reshape(-1).view(np.uint8).data
            described["parameters"] = {"binary_data_size": len(content)}
            raw.append(content)
            parts.append(orjson.dumps(described))
        else:
            parts += [orjson.dumps(described)[:-1], b',"data":[', *_numbers(value.reshape(-1)), b"]}"]
    parts.append(b"]}")
    size = sum(map(len, parts)) if raw else None
    return Answer(parts + raw, size)


def _numbers(values: Array) -> Iterator[bytes]:
    """Numbers as text, so many at once that nobody waits for Python's lock."""
    for start in range(0, len(values), CHUNK):
        text = orjson.dumps(values[start : start + CHUNK].tolist())[1:-1]
        yield b"," + text if start else text
