"""What is sent to gRPC: messages that are changed, calls that are odd, and frames of HTTP/2 that nobody sends."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from typing import Any

from benchmarks.serving.hostile.over_rest import mutate
from benchmarks.serving.hostile.subject import Asked
from fgcompile.serving.rpc.messages import METHODS

SERVICE = "/inference.GRPCInferenceService"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ODD_TEXTS = ("", "x", "subject\n", "é" * 100, "x" * 300_000, "\x00", "target")


def message(asked: Asked, generator: random.Random) -> Any:
    """A request as clients send it: its values as bytes, or as contents."""
    request: Any = METHODS["ModelInfer"][0](model_name="subject")
    for tensor in asked.inputs:
        request.inputs.add(**tensor)
    if generator.random() < 0.7:
        request.raw_input_contents.extend(asked.raw)
    else:
        request.inputs[0].contents.fp32_contents.extend(asked.x.reshape(-1).tolist())
        request.inputs[1].contents.int64_contents.extend(asked.target.tolist())
    return request


def _changed(asked: Asked, generator: random.Random) -> bytes:
    return mutate(message(asked, generator).SerializeToString(), generator)


def _odd(asked: Asked, generator: random.Random) -> bytes:
    request = message(asked, generator)
    tensor = generator.choice(request.inputs)
    match generator.randrange(9):
        case 0:
            tensor.name = generator.choice(ODD_TEXTS)
        case 1:
            tensor.datatype = generator.choice([*ODD_TEXTS, "FP64", "BOOL", "BYTES", "UINT8"])
        case 2:
            tensor.shape[:] = [
                generator.choice([-1, 0, 1, 3, 2**31, 2**62]) for _ in range(generator.choice([0, 4, 40]))
            ]
        case 3:
            request.model_name = generator.choice(ODD_TEXTS)
        case 4:
            request.raw_input_contents.append(generator.randbytes(20))
        case 5:
            tensor.contents.bool_contents.extend([True] * generator.choice([1, 100_000]))
        case 6:
            request.outputs.add(name=generator.choice(ODD_TEXTS))
        case 7:
            tensor.contents.bytes_contents.extend([b""] * generator.choice([1, 100_000]))
        case _:
            request.inputs.extend([tensor] * generator.choice([1, 5000]))
    content: bytes = request.SerializeToString()
    return content


def _many_fields(asked: Asked, generator: random.Random) -> bytes:
    count = generator.choice([100, 5000, 2_000_000])
    return generator.choice([b"\x2a\x00", b"\x32\x00", b"\x3a\x00", b"\x08\x01", b"\x22\x00"]) * count


def _large(asked: Asked, generator: random.Random) -> bytes:
    return message(asked, generator).SerializeToString() + b"\x3a" + _varint(8 << 20) + bytes(8 << 20)


def _random(asked: Asked, generator: random.Random) -> bytes:
    return generator.randbytes(generator.choice([0, 1, 20, 4000]))


MESSAGES: dict[str, Callable[[Asked, random.Random], bytes]] = {
    "messages, bytes changed": _changed,
    "messages, odd fields": _odd,
    "messages of many fields": _many_fields,
    "messages of many bytes": _large,
    "messages of random bytes": _random,
}
"""Messages of ``ModelInfer``."""


def _varint(value: int) -> bytes:
    digits = bytearray()
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


def _literal(name: str, value: str) -> bytes:
    return b"\x00" + bytes([len(name)]) + name.encode() + _length(len(value)) + value.encode()


def _length(size: int) -> bytes:
    return bytes([size]) if size < 127 else b"\x7f" + _varint(size - 127)


def headers(stream: int, flags: int = 4, extra: bytes = b"", method: str = "ModelInfer") -> bytes:
    """The frame that opens a call."""
    fields = {":method": "POST", ":scheme": "http", ":path": f"{SERVICE}/{method}", ":authority": "a", "te": "trailers"}
    block = b"".join(_literal(name, value) for name, value in {**fields, "content-type": "application/grpc"}.items())
    return frame(1, flags, stream, block + extra)


def _random_frames(generator: random.Random) -> bytes:
    return b"".join(
        frame(
            generator.randrange(12),
            generator.randrange(256),
            generator.randrange(9),
            generator.randbytes(generator.randrange(40)),
        )
        for _ in range(20)
    )


def _message_of(size: int, content: bytes, flag: bytes = b"\x00") -> bytes:
    return headers(1) + frame(0, 1, 1, flag + struct.pack(">I", size) + content)


_START = PREFACE + frame(4, 0, 0)
_STREAMS = range(1, 400, 2)
FRAMES: tuple[Callable[[random.Random], bytes], ...] = (
    lambda generator: generator.randbytes(200),
    lambda generator: _START + _random_frames(generator),
    lambda generator: _START + frame(6, 0, 0, bytes(8)) * 300,  # pings
    lambda generator: _START + frame(4, 0, 0, struct.pack(">HI", 3, 5) * 20) * 200,  # settings
    lambda generator: _START + b"".join(headers(each) + frame(3, 0, each, bytes(4)) for each in _STREAMS),  # resets
    lambda generator: _START + headers(1, flags=0) + frame(9, 0, 1, _literal("x", "a" * 100) * 20) * 300,  # no end
    lambda generator: _START + headers(1, extra=_literal("x", "a" * 60_000)),
    lambda generator: _START + _message_of(generator.choice([0, 5, 2**31, 10**6]), b"ab"),
    lambda generator: _START + _message_of(20, generator.randbytes(20), b"\x01"),  # said to be compressed
)
"""What clients that do not keep to HTTP/2 send on a connection."""
