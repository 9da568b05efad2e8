"""Where a session's artifact is read again: in another process, to which a pickled session came or that was forked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fgcompile.artifact.file import read_artifact
from fgcompile.artifact.metadata import Metadata
from fgcompile.artifact.seal import SEAL_SIZE
from fgcompile.errors import ArtifactError

Provider = str | tuple[str, Mapping[str, Any]]
"""An ONNX Runtime execution provider, "OpenVINO" or a device of PyTorch's: its name, or its name and options."""


@dataclass(frozen=True)
class Source:
    """An artifact and how it was opened; it can be pickled.

    Attributes:
        name: The absolute path, or a name for messages where the bytes are carried.
        seal: The last bytes of the artifact, which hold the digest of all others.
        carried: The bytes and their metadata, where the session was opened from bytes; else None.
        providers: As in ``load``.
        threads: As in ``load``.
        folder: Where weights lie that are not in the bytes, if some are.
    """

    name: str
    seal: bytes
    carried: tuple[bytes, Metadata] | None
    providers: Sequence[Provider] | None
    threads: int | None
    folder: Path | None = None

    def read(self) -> tuple[bytes, Metadata]:
        """The artifact's bytes, the same as when it was first opened, and its metadata.

        Raises:
            ArtifactError: The file is gone, damaged, or another by now.
        """
        if self.carried is not None:
            return self.carried
        content, metadata = read_artifact(self.name)
        if content[-SEAL_SIZE:] != self.seal:
            raise ArtifactError(
                f"{self.name}: is another artifact than the session's, which was loaded from there: load it again"
            )
        return content, metadata
