"""An artifact is one file that says what it is: metadata inside, and a seal over every byte at its end.

The **metadata** are canonical JSON under the key ``fgcompile``: an entry of ``metadata_props`` in ONNX, the extra file
``fgcompile.json`` in the zip archives of TorchScript and ``.pt2``.

The **seal** is an artifact's last 71 bytes: ``sha256:`` and the 64 hexadecimal digits of the SHA-256 of everything
before them. Both containers have room for it without ceasing to be what they are:

- ONNX is a protobuf message, and concatenated messages merge, so the seal is the value of one more ``metadata_props``
  entry, ``fgcompile.digest``, appended to the file.
- A zip archive ends in a comment, whose length is the last field of the end-of-central-directory record.

The seal detects accidents (a flipped bit, a cut download); it is not a signature. This module needs the standard
library only, neither torch nor onnx, because servers read artifacts through it.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypedDict, cast

from fgcompile.errors import ArtifactError

SCHEMA_VERSION = 1
"""The metadata layout that this version writes, and the newest that it reads."""

METADATA_KEY = "fgcompile"
"""The key of the metadata in ONNX's ``metadata_props``."""

METADATA_FILE = f"{METADATA_KEY}.json"
"""The name of the metadata as an extra file of TorchScript and ``.pt2``."""

EXPLAIN = "explain"
"""The boolean input of an artifact that explains on demand: whether to explain, or to return the logits alone."""

LOGITS = "logits"
"""The output that holds what the model returns."""

MODEL = "model"
"""The name, in a ``.pt2``, of the model that does all."""

PREDICT = "predict"
"""The name, in a ``.pt2`` on demand, of the model that predicts; the one that explains is called ``explain``."""

DEFAULTS_FILE = f"{METADATA_KEY}.defaults.json"
"""The extra file of a ``.pt2`` with the values of optional inputs: their bytes in base64, by name."""

_SEAL_SIZE = 71
_DIGEST_KEY = f"{METADATA_KEY}.digest".encode()

# Protobuf wire format: a tag is (field number << 3) | wire type, and wire type 2 is "length-delimited".
_METADATA_PROPS, _ENTRY_KEY, _ENTRY_VALUE = 14, 1, 2

_END_OF_CENTRAL_DIRECTORY = b"PK\x05\x06"
_LOCAL_FILE = b"PK\x03\x04"


class Versions(TypedDict):
    """The packages that compiled the artifact."""

    fgcompile: str
    torch: str
    onnx: str


class Model(TypedDict):
    """The compiled model: its class and ``sha256:…`` over its parameters."""

    name: str
    parameter_digest: str


class _SpecOptions(TypedDict, total=False):
    optional: bool
    example: list[int]


class TensorSpec(_SpecOptions):
    """Input or output, e.g. ``{"name": "x", "dtype": "float32", "shape": ["batch", 3]}``; a name is a dynamic size.

    ``"16*height"`` is a multiple of 16. ``optional`` inputs are bias parameters, which have their trained values as
    defaults. ``example`` is the shape of one sample that the model was compiled with, where its size is dynamic too.
    """

    name: str
    dtype: str
    shape: list[int | str]


class Preprocess(TypedDict):
    """The normalisation folded in front of the model, per channel."""

    mean: list[float]
    std: list[float]


class Noise(TypedDict):
    """The noisy copies of ``smooth_fullgrad``."""

    samples: int
    spread: float
    seed: int


class Term(TypedDict):
    """One bias term of a site."""

    name: str
    kind: str


class SiteSpec(TypedDict):
    """A site of bias terms, as ``fgcompile.program.Site`` describes it."""

    name: str
    kind: str
    shape: list[int | str]
    layout: str
    terms: list[Term]


class Lowering(TypedDict):
    """What an operator's backward became, why, and the layers for which it did."""

    operator: str
    form: str
    reason: str
    layers: list[str]


class _MetadataOptions(TypedDict, total=False):
    noise: Noise | None
    output: int | str | None
    score_inputs: list[str]
    biases: str
    layouts: dict[str, str]
    on_demand: bool
    precision: str
    lowerings: list[Lowering]
    device: str


class Metadata(_MetadataOptions):
    """What an artifact says of itself.

    ``format`` is "onnx", "torchscript" or "pt2"; ``target`` is "input" (the artifact takes it), a class index,
    "predicted" or "score" (a callable traced into the graph, with the inputs ``score_inputs``); ``output`` names the
    explained one of several outputs; ``biases`` is "constants" or "inputs"; ``layouts`` are those given by hand;
    with ``on_demand`` there is an input ``explain``, and every output but the logits is empty where that is false;
    ``device`` is the one that a ``.pt2`` was compiled for; ``completeness`` is the relative error measured when
    compiling.
    """

    schema: int
    versions: Versions
    model: Model
    format: str
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    method: str
    psi: str
    rules: str
    target: int | str
    preprocess: Preprocess | None
    labels: list[str] | None
    sites: list[SiteSpec]
    completeness: float


def dumps(metadata: Mapping[str, object]) -> str:
    """The metadata as canonical JSON: sorted keys, no spaces, ASCII; equal metadata give equal text.

    Raises:
        ValueError: A number is NaN or infinite, which JSON does not have.
    """
    return json.dumps(metadata, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def loads(text: str, path: str | Path) -> Metadata:
    """The metadata from their JSON text; ``path`` is the artifact, for messages.

    Raises:
        ArtifactError: The schema is newer than this version's, or the text is not metadata.
    """
    try:
        metadata = json.loads(text)
    except ValueError as error:
        raise ArtifactError(f"{path}: its metadata are not JSON ({error}): compile it again") from error
    schema = metadata.get("schema") if isinstance(metadata, dict) else None
    if type(schema) is not int or schema < 1:
        raise ArtifactError(f"{path}: its metadata name no schema: compile it again")
    if schema > SCHEMA_VERSION:
        raise ArtifactError(
            f"{path}: made by a newer fgcompile (schema {schema}, this reads up to {SCHEMA_VERSION}): upgrade"
        )
    if missing := sorted(Metadata.__required_keys__ - metadata.keys()):
        raise ArtifactError(f"{path}: its metadata lack {', '.join(missing)}: compile it again")
    for key in ("inputs", "outputs"):
        for spec in metadata[key] if isinstance(metadata[key], list) else [None]:
            if not isinstance(spec, dict) or not TensorSpec.__required_keys__ <= spec.keys():
                raise ArtifactError(f"{path}: its metadata's {key} are malformed: compile it again")
    return cast(Metadata, metadata)


def seal_onnx(body: bytes) -> bytes:
    """A serialised ONNX ``ModelProto`` with the seal as its last ``metadata_props`` entry."""
    key = _field(_ENTRY_KEY, _DIGEST_KEY)
    value_header = bytes([_tag(_ENTRY_VALUE), _SEAL_SIZE])
    entry_size = len(key) + len(value_header) + _SEAL_SIZE
    return _seal(body, bytes([_tag(_METADATA_PROPS), entry_size]) + key + value_header)


def seal_zip(body: bytes) -> bytes:
    """A zip archive without a comment (TorchScript, ``.pt2``) with the seal as its comment.

    Raises:
        ValueError: ``body`` does not end in an end-of-central-directory record with an empty comment.
    """
    end = body[-22:]
    if not (end.startswith(_END_OF_CENTRAL_DIRECTORY) and end.endswith(b"\0\0")):
        raise ValueError("not a zip archive without a comment")
    return _seal(memoryview(body)[:-2], struct.pack("<H", _SEAL_SIZE))


def read_seal(content: bytes | memoryview) -> str:
    """The seal of an artifact that is whole: another one has another."""
    return bytes(content[-_SEAL_SIZE:]).decode()


def check_seal(content: bytes | memoryview, path: str | Path) -> None:
    """Passes an artifact that is whole, byte for byte; ``path`` is for messages.

    Raises:
        ArtifactError: ``content`` is empty, damaged, truncated, or not fgcompile's at all.
    """
    view = memoryview(content)
    if not view:
        raise ArtifactError(f"{path}: is empty: copy it again or compile it again")
    seal = bytes(view[-_SEAL_SIZE:])
    if len(seal) == _SEAL_SIZE and seal.startswith(b"sha256:"):
        if hashlib.sha256(view[:-_SEAL_SIZE]).hexdigest().encode() != seal.removeprefix(b"sha256:"):
            raise ArtifactError(
                f"{path}: is damaged: its bytes do not match its SHA-256 seal; copy it again or compile it again"
            )
    elif "models" in zip_folders(content):
        raise ArtifactError(
            f"{path}: is an exported program, not an artifact: make one of it with `fgcompile compile {path}`"
        )
    elif METADATA_KEY.encode() in bytes(content):
        raise ArtifactError(
            f"{path}: is truncated or was changed: it does not end in its SHA-256 seal; copy or compile it again"
        )
    else:
        raise ArtifactError(f"{path}: is not an fgcompile artifact: make one with `fgcompile compile`")


def read_artifact(path: str | Path) -> tuple[bytes, Metadata]:
    """An artifact's bytes, once its seal is checked, and its metadata, without any runtime.

    Raises:
        ArtifactError: It cannot be read, is empty, damaged, truncated, of a newer schema, or not fgcompile's.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path}: cannot be read ({error.strerror}): give the path of an artifact") from error
    check_seal(content, path)
    try:
        is_zip = content.startswith(_LOCAL_FILE)
        text = (read_extra_file(content, METADATA_FILE) if is_zip else _onnx_metadata(content)).decode()
    except (LookupError, ValueError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{path}: has a seal but no readable metadata ({error}): compile it again") from error
    return content, loads(text, path)


def read_metadata(path: str | Path) -> Metadata:
    """An artifact's metadata, once its seal is checked; errors as ``read_artifact``."""
    return read_artifact(path)[1]


def read_extra_file(content: bytes, name: str) -> bytes:
    """An extra file of the zip archive of a TorchScript artifact or ``.pt2``.

    Raises:
        LookupError: There is none of that name.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for path in archive.namelist():
            if path.count("/") == 2 and path.endswith(f"/extra/{name}"):
                return archive.read(path)
    raise LookupError(f"no extra file {name}")


def zip_folders(content: bytes | memoryview) -> set[str]:
    """The folders of a zip archive's files, without the archive's own: ``.pt2`` keeps exported programs in ``models``.

    Empty where it is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name.partition("/")[2].rpartition("/")[0] for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # a name or a version that cannot be read
        return set()


def _seal(body: bytes | memoryview, header: bytes) -> bytes:
    """``body + header``, which holds all but the seal, and the seal over both."""
    digest = hashlib.sha256(body)
    digest.update(header)
    return b"".join((body, header, b"sha256:", digest.hexdigest().encode()))


def _tag(field: int) -> int:
    return field << 3 | 2


def _field(field: int, value: bytes) -> bytes:
    """A length-delimited protobuf field of fewer than 128 bytes, so that its length is one byte."""
    return bytes([_tag(field), len(value)]) + value


def _onnx_metadata(content: bytes) -> bytes:
    for field, entry in _fields(memoryview(content)):
        if field == _METADATA_PROPS:
            pair = dict(_fields(entry))
            if bytes(pair.get(_ENTRY_KEY, b"")) == METADATA_KEY.encode():
                return bytes(pair.get(_ENTRY_VALUE, b""))
    raise LookupError(f"no metadata_props entry {METADATA_KEY}")


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Number and content of a protobuf message's length-delimited fields; the others are skipped."""
    position = 0
    while position < len(message):
        tag, position = _varint(message, position)
        match tag & 7:
            case 0:
                _, position = _varint(message, position)
            case 1:
                position += 8
            case 2:
                size, start = _varint(message, position)
                position = start + size
                yield tag >> 3, message[start:position]
            case 5:
                position += 4
            case _:
                raise ValueError("neither a zip archive nor a protobuf message")
    if position != len(message):
        raise ValueError("neither a zip archive nor a protobuf message")


def _varint(message: memoryview, position: int) -> tuple[int, int]:
    """A base-128 integer, least significant group first, and the position behind it."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 0x7F) << shift
        position, shift = position + 1, shift + 7
        if byte < 0x80:
            return value, position
