"""What compiling returns."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from fgcompile.artifact.file import check_artifact
from fgcompile.artifact.names import DATA_SUFFIX, SUFFIXES
from fgcompile.artifact.pair import LARGEST, Pair
from fgcompile.errors import InputError
from fgcompile.runtime.exported import read_module
from fgcompile.runtime.session import Provider, Session, load
from fgcompile.system.files import path_of, write_atomically, write_together


@dataclass(frozen=True, repr=False)
class Artifact:
    """A compiled model: its bytes, and what they say of themselves.

    Attributes:
        content: The file's bytes; of an artifact whose weights lie beside it those of the ``.onnx`` alone.
        metadata: The mapping under the key ``fgcompile`` in the file.
        pair: The two files of such an artifact. Its weights lie in the system's folder for temporary files, for as long
            as there is the artifact or a session of it; None where all is in one file.
    """

    content: bytes
    metadata: Mapping[str, Any]
    pair: Pair | None = None

    def __repr__(self) -> str:  # in a line, not the megabytes of the file
        beside = "" if self.pair is None else f" and {self.pair.size} beside"
        name, format = self.metadata["model"]["name"], self.metadata["format"]
        return f"Artifact({name}, {format}, {len(self.content)} bytes{beside})"

    @property
    def folder(self) -> Path | None:
        """Where the weights lie until the artifact is saved, if not in its bytes."""
        return None if self.pair is None else self.pair.folder

    def session(self, providers: Sequence[Provider] | None = None, threads: int | None = None) -> Session:
        """The artifact ready to run, as ``fgcompile.load`` opens it.

        Raises:
            InputError: An unknown provider, or a number of threads below 1.
            MissingPackageError: The runtime is not installed.
        """
        return load(self, providers, threads)

    def module(self) -> nn.Module:
        """An artifact of the format ``"exported"`` as a module: ``logits, saliency = artifact.module()(x)``.

        It takes the artifact's inputs, by position or name, and returns its outputs in order, on any device that it is
        moved to, and under ``torch.compile``. It has buffers and no parameters. A ``target`` that is left out is each
        sample's predicted class.

        Raises:
            InputError: The artifact is of another format.
        """
        if self.metadata["format"] != "exported":
            raise InputError(f"the artifact is {self.metadata['format']}, no module: compile with format='exported'")
        return read_module(self.content, check_artifact(self.content, "artifact.pt2"))

    def save(self, path: str | Path) -> None:
        """Writes the file, whole or not at all; its weights, where they lie beside it, as ``NAME.onnx.data``.

        Raises:
            InputError: The file's suffix belongs to another format.
            OutputError: The file cannot be written.
        """
        suffix = SUFFIXES[self.metadata["format"]]
        if path_of(path, "the file").suffix != suffix:
            raise InputError(f"'{path}' is not a name for an artifact in {self.metadata['format']}: end it in {suffix}")
        if self.pair is None:
            write_atomically(path, self.content)
            return
        weights = Path(os.path.realpath(path)).name + DATA_SUFFIX
        write_together(path, self.pair.model(weights), weights, self.pair.weights)


def as_artifact(made: bytes | Pair, metadata: Mapping[str, Any], external_data: bool) -> Artifact:
    """The artifact in one file where that can hold its weights, and they are not to lie beside it."""
    if isinstance(made, Pair) and not (external_data or made.size > LARGEST):
        made = made.whole()
    return Artifact(made, metadata) if isinstance(made, bytes) else Artifact(made.model(), metadata, made)
