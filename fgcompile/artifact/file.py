"""An artifact as a file: its seal, its container and its metadata checked, before anything is made of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from pathlib import Path

from fgcompile.artifact.characters import unfit_character
from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY, SUFFIXES, TOKENIZER_FILE, TOKENIZER_KEY
from fgcompile.artifact.onnx_container import Beside, find_beside, read_onnx_entry
from fgcompile.artifact.pair import check_weights, folder_beside
from fgcompile.artifact.regular import read_regular
from fgcompile.artifact.schema import LONGEST_TOKENIZER
from fgcompile.artifact.seal import SEAL_SIZE
from fgcompile.artifact.zip_container import (
    LOCAL_FILE,
    UNREADABLE,
    check_archive,
    format_of,
    read_extra_file,
    zip_folders,
)
from fgcompile.errors import ArtifactError

_NAME = bytes([len(METADATA_KEY)]) + METADATA_KEY.encode()
_MARKS = (b"\x12" + _NAME, b"\n" + _NAME, METADATA_FILE.encode())
"""What tells an artifact's bytes: ONNX's producer, the metadata's entry there, their file in an archive."""


def check_seal(content: bytes | memoryview, path: str | Path) -> None:
    """Passes an artifact that is whole, byte for byte; ``path`` is for messages.

    Raises:
        ArtifactError: ``content`` is empty, damaged, truncated, or not fgcompile's at all.
    """
    view = memoryview(content)
    if not view:
        raise ArtifactError(f"{path}: is empty: copy it again or compile it again")
    seal = bytes(view[-SEAL_SIZE:])
    if len(seal) == SEAL_SIZE and seal.startswith(b"sha256:"):
        if hashlib.sha256(view[:-SEAL_SIZE]).hexdigest().encode() != seal.removeprefix(b"sha256:"):
            raise ArtifactError(
                f"{path}: is damaged: its bytes do not match its SHA-256 seal; copy it again or compile it again"
            )
    elif "models" in zip_folders(content):
        raise ArtifactError(
            f"{path}: is an exported program, not an artifact: make one of it with `fgcompile compile {path}`"
        )
    elif _has_marks(bytes(content)):
        raise ArtifactError(
            f"{path}: is truncated or was changed: it does not end in its SHA-256 seal; copy or compile it again"
        )
    else:
        raise ArtifactError(f"{path}: is not an fgcompile artifact: make one with `fgcompile compile`")


def _has_marks(content: bytes) -> bool:
    return any(mark in content for mark in _MARKS)


def read_artifact(path: str | Path) -> tuple[bytes, Metadata]:
    """An artifact's bytes, once its seal is checked, and its metadata, without any runtime.

    Weights that lie beside it are checked too, and left where they are. Its suffix, its container and the format that
    its metadata name agree; a file without a suffix of artifacts has whichever format it has.

    Raises:
        ArtifactError: It cannot be read, is empty, damaged, truncated, of a newer schema, or not fgcompile's; its
            archive or its metadata are not what an artifact's may be; or it is of another format than its name says.
    """
    try:
        content = read_regular(path)
    except (OSError, ValueError) as error:  # a NUL in the path is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise ArtifactError(f"{path}: cannot be read ({reason}): give the path of an artifact") from error
    except MemoryError as error:
        raise ArtifactError(f"{path}: is larger than this machine's memory: give the path of an artifact") from error
    return content, _check(content, path, partial(folder_beside, path))


def check_artifact(content: bytes, path: str | Path, folder: Path | None = None) -> Metadata:
    """The metadata of an artifact's bytes, checked as ``read_artifact`` does; ``path`` is for messages.

    Weights may lie beside it in the ``folder``, where there is one.
    """
    return _check(content, path, lambda name: folder)


def _check(content: bytes, path: str | Path, folder_of: Callable[[str], Path | None]) -> Metadata:
    check_seal(content, path)
    try:
        container, text, beside = _open_container(content)
    except (LookupError, *UNREADABLE) as error:
        raise ArtifactError(
            f"{path}: has a seal but no readable metadata ({_shown(error)}): compile it again"
        ) from error
    metadata = loads(text, path)
    _check_format(path, container, metadata["format"])
    if beside is not None:
        check_weights(beside, folder_of(beside.name), path)
    return metadata


def read_metadata(path: str | Path) -> Metadata:
    """An artifact's metadata, once its seal is checked; errors as ``read_artifact``."""
    return read_artifact(path)[1]


def read_tokenizer(content: bytes, metadata: Metadata, path: str | Path) -> str | None:
    """The tokenizer of a checked artifact, as the JSON of ``tokenizers``; None where it has none.

    Raises:
        ArtifactError: It is missing, too long, or another than the metadata say.
    """
    if "tokenizer" not in metadata:
        return None
    try:
        if metadata["format"] == "onnx":
            found = read_onnx_entry(content, TOKENIZER_KEY)
        else:
            found = read_extra_file(content, TOKENIZER_FILE)
        if len(found) > LONGEST_TOKENIZER:
            raise ValueError(f"it is longer than {LONGEST_TOKENIZER} bytes")
        if digest_of(found) != metadata["tokenizer"]["digest"]:
            raise ValueError("it is another than the metadata say")
        return found.decode()
    except (LookupError, *UNREADABLE) as error:
        raise ArtifactError(f"{path}: has no readable tokenizer ({_shown(error)}): compile it again") from error


def weights_file(content: bytes, metadata: Metadata, path: str | Path) -> Path | None:
    """The file in which weights of a checked artifact lie that are not in its bytes; None where all are."""
    beside = find_beside(content) if metadata["format"] == "onnx" else None
    return None if beside is None else folder_beside(path, beside.name) / beside.name


def digest_of(content: bytes) -> str:
    """``sha256:…`` of some bytes."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def suffix_format(path: str | Path) -> str | None:
    """The format that the suffix of a name says; None where it is none of artifacts'."""
    suffix = Path(path).suffix.lower()
    return next((format for format, known in SUFFIXES.items() if known == suffix), None)


def weights_folder(content: bytes, metadata: Metadata, path: str | Path) -> Path | None:
    """The folder of that file."""
    weights = weights_file(content, metadata, path)
    return None if weights is None else weights.parent


def container_format(content: bytes) -> str | None:
    """The format of an artifact by its container; None where that is none of artifacts'.

    Raises:
        ValueError: An archive has what an artifact's may not have; or one of ``zip_container.UNREADABLE``.
    """
    return format_of(check_archive(content)) if content.startswith(LOCAL_FILE) else "onnx"


def _open_container(content: bytes) -> tuple[str, str, Beside | None]:
    """The container's format, the text of the metadata in it, and where its weights are, if not in it."""
    container = container_format(content)
    if container is None:
        raise ValueError("its archive is neither TorchScript's nor a .pt2")
    if container != "onnx":
        return container, read_extra_file(content, METADATA_FILE).decode(), None
    return container, read_onnx_entry(content, METADATA_KEY).decode(), find_beside(content)


def _check_format(path: str | Path, container: str, named: str) -> None:
    if container != named:
        raise ArtifactError(f"{path}: its metadata say {named}, its content is {container}: compile it again")
    wanted = suffix_format(path)
    if wanted is not None and SUFFIXES[wanted] != SUFFIXES[container]:
        raise ArtifactError(
            f"{path}: is {container}, and its name says {wanted}: name it {SUFFIXES[container]} if you trust it"
            + (", for it is code that loading runs" if container != "onnx" else "")
        )


def _shown(error: Exception) -> str:
    """What an error says, in characters that can be printed: it may quote the file."""
    message = str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)
    return message if unfit_character(message) is None else ascii(message)
