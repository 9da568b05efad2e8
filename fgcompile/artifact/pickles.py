"""The pickles in a TorchScript archive, looked through without being run, before libtorch reads them.

libtorch takes a text, or makes room for an object, as long as a pickle says, and sees only then where the file ends.
"""

from __future__ import annotations

import io
import pickletools
import zipfile


def check_pickles(content: bytes) -> None:
    """Passes an archive whose pickles are whole.

    Raises:
        ValueError: One ends too early, or names an object by a number that it cannot have.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if name.endswith(".pkl"):
                _check(archive.read(name), name)


def _check(content: bytes, name: str) -> None:
    for operation, argument, _ in pickletools.genops(content):
        if operation.name in ("LONG_BINPUT", "LONG_BINGET", "PUT", "GET") and int(argument or 0) > len(content):
            raise ValueError(f"{name!a} names an object by {argument}")
