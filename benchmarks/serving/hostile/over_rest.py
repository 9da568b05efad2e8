"""What is sent to REST: requests that are changed, and bytes that were never one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from benchmarks.serving.hostile.subject import Asked, as_binary, as_json

INFER = "/v2/models/subject/infer"
LENGTH = "Inference-Header-Content-Length"

ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        2**63,
        2**64,
        -(2**70),
        1.5,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "x",
        "FP32",
        "BYTES",
    ),
    *(
        "\u0000",
        "\n\x1b[2J",
        "\ud800",
        "é" * 300,
        "x" * 5000,
        [],
        {},
        [[]],
        [[], []],
        [{}],
        {"a": {}},
        [None],
        ["1"],
        [[1], 2],
    ),
)
ODD_HEADERS = (
    *("Content-Length: -1", "Content-Length: 1\r\nContent-Length: 2", "Content-Length: 1, 1", "Content-Length: +3"),
    *(
        "Content-Length: 99999999999999999999",
        "Content-Length: x",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, chunked",
    ),
    *(
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "X: a\r\n folded",
        "X : a",
        ": a",
        "X",
        "X: \x00",
        "X: \xff\xfe",
    ),
    *(
        "Connection: upgrade\r\nUpgrade: websocket",
        "Upgrade: h2c\r\nConnection: Upgrade",
        "Expect: 100-continue",
        "Expect: x",
    ),
    *(
        "Content-Encoding: gzip",
        "Host: a\r\nHost: b",
        "Content-Type: \x7f",
        "Range: bytes=0-",
        "Authorization: Bearer x",
    ),
)
ODD_TARGETS = (
    *(
        "/",
        "*",
        "//",
        "/../..",
        "/v2/models",
        "/v2/models/%00/infer",
        "/v2/models/subject%2finfer",
        "/%ff",
        "/v2/models/a%0ab",
    ),
    *(
        "http://a/v2",
        "/v2/models/subject/versions/1/infer",
        "/v1/models/subject:predict",
        "/v2/repository/models/subject/unload",
    ),
    *(
        "/v2/repository/models/subject/load",
        "/v2/repository/index",
        "/docs",
        "/openapi.json",
        "/" + "a" * 9000,
        "/metrics?x=%0a",
        "/é",
    ),
)


def head(verb: str, target: str, headers: dict[str, str]) -> bytes:
    """A request's line and headers."""
    lines = [f"{verb} {target} HTTP/1.1", "Host: subject", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def post(body: bytes, headers: dict[str, str] | None = None, target: str = INFER) -> bytes:
    """A request with a body, as its headers say."""
    return head("POST", target, {"Content-Length": str(len(body)), **(headers or {})}) + body


def valid(asked: Asked, generator: random.Random) -> bytes:
    """A request as clients send it, in one of its forms."""
    match generator.randrange(4):
        case 0:
            body, length = as_binary(asked)
            return post(body, {LENGTH: str(length)})
        case 1:
            return chunked(json.dumps(as_json(asked, True)).encode(), generator)
        case form:
            return post(json.dumps(as_json(asked, form == 2)).encode())


def chunked(body: bytes, generator: random.Random) -> bytes:
    """A request whose body comes in chunks."""
    cuts = sorted(generator.randrange(len(body) + 1) for _ in range(4))
    parts = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    encoded = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return head("POST", INFER, {"Transfer-Encoding": "chunked"}) + encoded + b"0\r\n\r\n"


def mutate(data: bytes, generator: random.Random) -> bytes:
    """Bytes with a few changes: flipped, cut out, repeated, inserted."""
    changed = bytearray(data)
    for _ in range(generator.randint(1, 4)):
        place = generator.randrange(len(changed) + 1)
        size = generator.choice([1, 1, 2, 8, 64])
        match generator.randrange(4):
            case 0:
                changed[place : place + size] = generator.randbytes(len(changed[place : place + size]))
            case 1:
                del changed[place : place + size]
            case 2:
                changed[place:place] = changed[place : place + size]
            case _:
                odd = [b"[", b"]", b"{", b"}", b'"', b"\\", b",", b"NaN", b"1e999", b"-", b"\x00", b"\xff"]
                changed[place:place] = generator.choice(odd)
    return bytes(changed)


def _odd_json(asked: Asked, generator: random.Random) -> bytes:
    request = as_json(asked, generator.random() < 0.5)
    holder: Any = generator.choice([request, *request["inputs"]])
    holder[generator.choice([*holder, "id", "outputs", "parameters", "extra"])] = generator.choice(ODD_VALUES)
    return post(json.dumps(request).encode("utf-8", "surrogatepass"))


def _mutated_json(asked: Asked, generator: random.Random) -> bytes:
    return post(mutate(json.dumps(as_json(asked, generator.random() < 0.5)).encode(), generator))


def _deep(asked: Asked, generator: random.Random) -> bytes:
    depth = generator.choice([30, 40, 500, 100_000])
    inside = generator.choice([b"[", b'{"a":']) * depth
    place = generator.choice(
        [b"%b", b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":%b}]}', b'{"id":%b}']
    )
    return post(place % (inside + b"1" + generator.choice([b"", b"]" * depth, b"}" * depth])))


def _many(asked: Asked, generator: random.Random) -> bytes:
    count = generator.choice([1000, 20_000, 20_000, 300_000, 3_000_000])
    value = generator.choice([b"1", b"[]", b"{}", b'""', b"1e5", b"[1]", b"null", b'"\\""'])
    values = b",".join([value] * count)
    return post(b'{"inputs":[{"name":"x","datatype":"FP32","shape":[%d],"data":[%b]}]}' % (count, values))


def _large(asked: Asked, generator: random.Random) -> bytes:
    """A body of 60 MiB, now and then, else of one."""
    size = (60 if generator.random() < 0.05 else 1) << 20
    unit = generator.choice([b" ", b"1,", b"0.125,", b'""', b"\\", b"[[]", b"[1],", b"\x00", b'{"a":1},'])
    start = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[%d,3,8,8],"data":[' % generator.choice([1, 10_000])
    return post(generator.choice([b"", start, b'{"a":"', b"["]) + unit * (size // len(unit)) + b"1]}]}")


def _odd_binary(asked: Asked, generator: random.Random) -> bytes:
    body, length = as_binary(asked)
    wrong = [length, length - 1, length + 1, 0, -1, len(body), len(body) + 1, "x", "", "1e3", 10**25, "٣"]
    return post(mutate(body, generator), {LENGTH: str(generator.choice(wrong))})


def _random(asked: Asked, generator: random.Random) -> bytes:
    return generator.randbytes(generator.choice([1, 30, 3000])) + generator.choice([b"", b"\r\n\r\n"])


def _odd_head(asked: Asked, generator: random.Random) -> bytes:
    body = json.dumps(as_json(asked, False)).encode()
    lines = [f"POST {INFER} HTTP/1.1", "Host: a", f"Content-Length: {len(body)}", generator.choice(ODD_HEADERS)]
    generator.shuffle(lines[1:])
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


def _odd_line(asked: Asked, generator: random.Random) -> bytes:
    verb = generator.choice(
        ["GET", "POST", "HEAD", "PUT", "OPTIONS", "CONNECT", "TRACE", "get", "G\x00T", "X" * 300, ""]
    )
    version = generator.choice(["HTTP/1.1", "HTTP/1.0", "HTTP/2.0", "HTTP/9", "http/1.1", "", "HTTP/1.1 x"])
    length = generator.choice(["", "Content-Length: 3\r\n"])
    target = generator.choice(ODD_TARGETS)
    return f"{verb} {target} {version}\r\nHost: a\r\n{length}\r\n".encode() + b"abc" * bool(length)


def _flood(asked: Asked, generator: random.Random) -> bytes:
    count, size = generator.choice([(90, 10), (4000, 1), (60_000, 0), (1, 20_000), (1, 2_000_000), (3000, 60)])
    return head("GET", "/v2/health/live", {f"X{number}": "a" * size for number in range(count)})


def _odd_chunks(asked: Asked, generator: random.Random) -> bytes:
    request = chunked(json.dumps(as_json(asked, False)).encode(), generator)
    at = request.index(b"\r\n\r\n") + 4
    ends = [
        b"-1\r\n",
        b"x\r\n",
        b"ffffffffffffffff\r\nx",
        b"5;" + b"e" * 30_000,
        b"0\r\nA: b\r\n\r\n",
        b"0x3\r\nabc\r\n",
        b"3\r\nabcd",
    ]
    return generator.choice([request[:at] + generator.choice(ends), request[:at] + mutate(request[at:], generator)])


def _wrong_length(asked: Asked, generator: random.Random) -> bytes:
    body = json.dumps(as_json(asked, False)).encode()
    wrong = generator.choice([0, 1, len(body) - 1, len(body) + 5, 10**9, 10**17])
    return head("POST", INFER, {"Content-Length": str(wrong)}) + body


def _pipelined(asked: Asked, generator: random.Random) -> bytes:
    parts = [valid(asked, generator), _odd_json(asked, generator), head("GET", "/v2/health/ready", {})]
    generator.shuffle(parts)
    return b"".join(parts * generator.choice([1, 3]))


def _cut_off(asked: Asked, generator: random.Random) -> bytes:
    request = valid(asked, generator)
    return request[: generator.randrange(len(request))]


KINDS: dict[str, Callable[[Asked, random.Random], bytes]] = {
    "JSON, bytes changed": _mutated_json,
    "JSON, odd values": _odd_json,
    "JSON, deep": _deep,
    "JSON, many values": _many,
    "JSON, large": _large,
    "bytes behind JSON, changed, wrong lengths": _odd_binary,
    "random bytes": _random,
    "odd headers": _odd_head,
    "odd request lines": _odd_line,
    "header floods": _flood,
    "odd chunks": _odd_chunks,
    "wrong lengths": _wrong_length,
    "pipelined": _pipelined,
    "cut off, then closed": _cut_off,
}
"""What is sent, by its name."""
