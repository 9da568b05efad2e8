"""An ONNX artifact as a pair of files: the model, and beside it its weights, where a file of 2 GiB cannot hold them.

    NAME.onnx        the graph, metadata, the digest of the weights, and the seal over all of that
    NAME.onnx.data   the weights, each from a multiple of 64 bytes on, large ones from one of 4,096: pages to map

The model names the other file, as ``onnx.save_model(…, save_as_external_data=True)`` has it: whoever renames the model
leaves the weights as they are called.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fgcompile.artifact.characters import unfit_character
from fgcompile.artifact.names import DATA_SUFFIX, SUFFIXES
from fgcompile.artifact.onnx_beside import inlined, relocated
from fgcompile.artifact.onnx_container import Beside
from fgcompile.artifact.onnx_rewriting import Stretch
from fgcompile.artifact.regular import open_regular
from fgcompile.artifact.seal import data_entry, seal_onnx
from fgcompile.errors import ArtifactError

LARGEST = 2**31 - 2**24
"""Bytes of weights that one file holds: a protobuf message has 2 GiB at most, some of it for the graph."""

PAGE, LINE = 4096, 64

OWN_NAME = f"model{SUFFIXES['onnx']}{DATA_SUFFIX}"
"""What the file of weights is called until the artifact is saved under a name."""

_CHUNK = 2**24


@dataclass(frozen=True)
class Pair:
    """An artifact in two files, before it has a name.

    Attributes:
        body: The model, unsealed.
        folder: Where the weights lie, under ``OWN_NAME``.
        digest: ``sha256:…`` of them.
        size: Their bytes.
    """

    body: bytes
    folder: Path
    digest: str
    size: int

    @property
    def weights(self) -> Path:
        """The file of the weights."""
        return self.folder / OWN_NAME

    def model(self, weights: str = OWN_NAME) -> bytes:
        """The sealed model, whose weights lie in a file of that name."""
        return seal_onnx(relocated(self.body, weights) + data_entry(self.digest))

    def whole(self) -> bytes:
        """The artifact as one file."""
        return seal_onnx(self._parts())

    def _parts(self) -> Iterator[bytes | memoryview]:
        """The model with its weights, which are read piece by piece: mapped ones would be in memory twice."""
        with self.weights.open("rb") as file:
            for part in inlined(self.body, Stretch):
                if not isinstance(part, Stretch):
                    yield part
                    continue
                file.seek(part.offset)
                for begin in range(0, part.length, _CHUNK):
                    yield file.read(min(_CHUNK, part.length - begin))


def aligned(offset: int, length: int) -> int:
    """The first place from an offset on at which so many bytes may begin."""
    unit = PAGE if length >= PAGE else LINE
    return -(-offset // unit) * unit


def write_weights(path: Path, tensors: Iterable[tuple[int, bytes | memoryview]]) -> str:
    """Writes tensors at their offsets, which ascend; returns the digest of the file."""
    digest, position = hashlib.sha256(), 0
    with path.open("wb") as file:
        for offset, data in tensors:
            for part in (bytes(offset - position), data):
                file.write(part)
                digest.update(part)
            position = offset + len(data)
        file.flush()
        os.fsync(file.fileno())
    return f"sha256:{digest.hexdigest()}"


def folder_beside(path: str | Path, name: str) -> Path:
    """The folder in which a file beside an artifact is: its own, or that of the artifact that a link leads to."""
    own = Path(path).absolute().parent
    return own if (own / name).exists() else Path(os.path.realpath(path)).parent


def check_weights(beside: Beside, folder: Path | None, path: str | Path) -> None:
    """Passes weights beside an artifact that are its own, byte for byte; ``path`` is the artifact's, for messages.

    Raises:
        ArtifactError: There is no folder, since bytes alone were given; or the file is missing, damaged or another's.
    """
    name = beside.name if unfit_character(beside.name) is None else ascii(beside.name)
    if folder is None:
        raise ArtifactError(
            f"{path}: its weights lie in a file beside it, '{name}', and its bytes do not say where: give its path"
        )
    digest = hashlib.sha256()
    try:
        with open_regular(folder / beside.name) as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError as error:
        raise ArtifactError(f"{path}: its weights are not beside it: copy '{name}' into the same folder") from error
    except OSError as error:
        raise ArtifactError(f"{path}: its weights, '{name}', cannot be read ({error.strerror})") from error
    if f"sha256:{digest.hexdigest()}" != beside.digest:
        raise ArtifactError(
            f"{path}: '{name}' beside it is damaged, or holds the weights of another artifact: "
            "copy both files again, or compile it again"
        )
