"""Changes to an artifact, each drawn by a seed: of its bytes, of what is in it, and of what it says of itself."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Callable
from typing import Any

from benchmarks.trust.containers import (
    body_of,
    members,
    metadata_of,
    pack,
    pack_entries,
    seal_again,
    with_metadata,
)
from fgcompile.artifact.signature import SIGNATURE, sign

MUTATION_KINDS = ("raw bytes", "sealed body", "sealed metadata")


def mutate(content: bytes, kind: str, seed: str) -> bytes:
    """The artifact, changed; the same seed changes it in the same way."""
    draw = random.Random(seed)
    return _KINDS[kind](content, draw)


def _raw(content: bytes, draw: random.Random) -> bytes:
    """Flipped, cut, repeated and foreign bytes, under the old seal."""
    return _bytes_changed(content, draw)


def _body(content: bytes, draw: random.Random) -> bytes:
    """The same within the seal; or within one file of an archive; or an archive as nobody makes one."""
    if not content.startswith(b"PK") or draw.random() < 0.4:
        return seal_again(_bytes_changed(body_of(content), draw))
    files = members(content)
    if draw.random() < 0.6:
        name = draw.choice([name for name, file in files.items() if file])
        return pack({**files, name: _bytes_changed(files[name], draw)})
    return _odd_archive(files, draw)


def _metadata(content: bytes, draw: random.Random) -> bytes:
    """One to three typed changes; half of them with a signature that fits again, where there is something to sign."""
    metadata: Any = copy.deepcopy(metadata_of(content))
    for _ in range(draw.choice((1, 1, 2, 3))):
        metadata = _edited(metadata, draw)
    if isinstance(metadata, dict) and draw.random() < 0.5:
        metadata[SIGNATURE] = sign(metadata)
    text = json.dumps(metadata, ensure_ascii=draw.random() < 0.8)
    if draw.random() < 0.05:
        text = draw.choice(
            (text[:-2], "[" * 100_000, text + text, '{"schema":1,' + text[1:], "\x00", '"' + "x" * 10**7)
        )
    return with_metadata(content, text)


_KINDS: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "raw bytes": _raw,
    "sealed body": _body,
    "sealed metadata": _metadata,
}


def _bytes_changed(content: bytes, draw: random.Random) -> bytes:
    changed = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 8, 64))):
        if not changed:
            break
        place = draw.randrange(len(changed))
        end = place + draw.choice((1, 4, 64, 1024))
        match draw.randrange(6):
            case 0 | 1:
                changed[place] ^= 1 << draw.randrange(8)
            case 2:
                changed[place] = draw.choice((0, 1, 0x7F, 0x80, 0xFF, draw.randrange(256)))
            case 3:
                del changed[place:end]
            case 4:
                changed[place:place] = changed[place:end]
            case _:
                changed[place:end] = draw.randbytes(min(end, len(changed)) - place)
    return bytes(changed)


def _odd_archive(files: dict[str, bytes], draw: random.Random) -> bytes:
    entries = [(zipfile.ZipInfo(name), content) for name, content in files.items()]
    root = entries[0][0].filename.partition("/")[0]
    name = draw.choice(("../outside", "/tmp/outside", f"{root}/../../outside", f"{root}\\..\\outside", "C:/outside"))
    match draw.randrange(7):
        case 0:
            entries.append((zipfile.ZipInfo(name), b"x"))
        case 1:
            entries.append((zipfile.ZipInfo(entries[-1][0].filename), b"x"))
        case 2:
            link = zipfile.ZipInfo(f"{root}/link")
            link.external_attr = 0o120777 << 16
            entries.append((link, b"/etc/passwd"))
        case 3:
            bomb = zipfile.ZipInfo(f"{root}/bomb")
            bomb.compress_type = zipfile.ZIP_DEFLATED
            entries.append((bomb, bytes(2**28)))
        case 4:
            odd = zipfile.ZipInfo(f"{root}/odd")
            odd.compress_type = draw.choice((zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))
            entries.append((odd, b"x" * 1000))
        case 5:
            del entries[draw.randrange(len(entries))]
        case _:
            draw.shuffle(entries)
    return pack_entries(entries)


_DEEP: Any = []
for _ in range(400):
    _DEEP = [_DEEP]

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 5, 6, 1.5, 1e308, 2**31, 2**63, 2**70, 10**400),
    *("", "x", "a\nb", "\x1b[31m", "\u2028", "\ud800", "x" * 100_000, "0*height", "²*h", "batch", "logits", "saliency"),
    *("input", "predicted", "score", "float64", "int64", "complex64", "object", "../x", "onnx", "pt2", "torchscript"),
    *([], {}, [1], ["x"], {"name": "x"}, [None] * 1000, ["x"] * 200_000, _DEEP, float("nan"), float("inf")),
)


def _edited(value: Any, draw: random.Random) -> Any:
    """The value with one change, at any depth."""
    if not isinstance(value, dict | list) or not value or draw.random() < 0.1:
        return copy.deepcopy(draw.choice(_VALUES))
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value)))
    key = draw.choice(keys)
    if draw.random() < 0.7:
        value[key] = _edited(value[key], draw)
        return value
    other = draw.choice(keys)
    match draw.randrange(4):
        case 0:
            value[key], value[other] = value[other], value[key]
        case 1:
            del value[key]
        case 2 if isinstance(value, list):
            value.append(copy.deepcopy(value[key]))
        case 2:
            value[f"{key}x"] = value.pop(key)
        case _ if isinstance(value, list):
            draw.shuffle(value)
        case _:
            value[draw.choice(("later", "", "a\nb", "labels", "device"))] = copy.deepcopy(draw.choice(_VALUES))
    return value
