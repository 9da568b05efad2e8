"""An artifact is one file that says what it is: metadata inside, and a seal over every byte at its end.

The **metadata** are canonical JSON under the key ``fgcompile``: an entry of ``metadata_props`` in ONNX, the extra file
``fgcompile.json`` in the zip archives of TorchScript and ``.pt2``.

The **seal** is an artifact's last 71 bytes: ``sha256:`` and the 64 hexadecimal digits of the SHA-256 of everything
before them. Both containers have room for it without ceasing to be what they are:

- ONNX is a protobuf message, and concatenated messages merge, so the seal is the value of one more ``metadata_props``
  entry, ``fgcompile.digest``, appended to the file.
- A zip archive ends in a comment, whose length is the last field of the end-of-central-directory record.

An ONNX artifact above 2 GiB is a pair of files (``fgcompile.artifact.pair``): the model holds the digest of its
weights, so that its seal covers both.

The seal detects accidents (a flipped bit, a cut download); it is not a signature. This package needs the
standard library and numpy only, neither torch nor onnx, because servers read artifacts through it.
"""

from __future__ import annotations

from fgcompile.artifact.file import read_artifact, read_metadata
from fgcompile.artifact.metadata import SCHEMA_VERSION, Metadata, SiteSpec, TensorSpec
from fgcompile.artifact.names import METADATA_FILE, METADATA_KEY
from fgcompile.artifact.seal import read_seal

__all__ = [
    "METADATA_FILE",
    "METADATA_KEY",
    "SCHEMA_VERSION",
    "Metadata",
    "SiteSpec",
    "TensorSpec",
    "read_artifact",
    "read_metadata",
    "read_seal",
]
