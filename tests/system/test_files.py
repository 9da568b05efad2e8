"""Files are written whole or not at all, and what cannot be written is refused before the work."""

from __future__ import annotations

from pathlib import Path

import pytest

from fgcompile.errors import OutputError
from fgcompile.system.files import require_writable, write_atomically


def test_a_path_that_can_be_written_is_left_as_it_is(tmp_path: Path) -> None:
    require_writable(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").write_bytes(b"old")
    require_writable(tmp_path / "old")
    assert (tmp_path / "old").read_bytes() == b"old"
    write_atomically(tmp_path / "old", b"new")
    assert (tmp_path / "old").read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [tmp_path / "old"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere/file", "its folder does not exist"),
        (".", r"cannot be written \(Is a directory\)"),
        ("/dev/null", r"cannot be written \(a device, not a file\)"),
        ("/proc/file", r"/proc/file: cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_as_when_writing(tmp_path: Path, path: str, message: str) -> None:
    for refuse in (require_writable, lambda target: write_atomically(target, b"")):
        if path == "nowhere/file" and refuse is require_writable:
            refuse(tmp_path / path)  # commands make it
            continue
        with pytest.raises(OutputError, match=message):
            refuse(tmp_path / path)
    assert list(tmp_path.iterdir()) == []
