"""What is no regular file is refused without waiting; the first bytes say what a file is, not its name."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.pictures.files import png
from fgcompile.errors import InputError
from fgcompile.pictures.images import read_photo
from tests.pictures.sources.scene import BYTES, is_scene

SHAPE = (16, 16, 1)

needs_unix = pytest.mark.skipif(sys.platform == "win32", reason="needs Unix: Windows has no such files")


@needs_unix
def test_pipes_devices_folders_and_loops(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to(tmp_path / "loop.png")
    (tmp_path / "folder.png").mkdir()
    for path, why in (
        (tmp_path / "pipe.png", "a pipe, socket or device, not a file"),
        (Path("/dev/zero"), "a pipe, socket or device, not a file"),
        (tmp_path / "folder.png", "a folder, not a file"),
        (tmp_path / "loop.png", "symbolic links"),
    ):
        with pytest.raises(InputError, match=rf"{path.name} cannot be read as a picture .*{why}"):
            read_photo(path, SHAPE)


@needs_unix
def test_a_link_to_a_file_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(png(BYTES))
    (tmp_path / "link.jpg").symlink_to(tmp_path / "file")
    assert is_scene(read_photo(tmp_path / "link.jpg", SHAPE))


def test_the_name_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "array.png").write_bytes(png(BYTES))
    np.save(tmp_path / "array.npy", BYTES)
    (tmp_path / "array.npy").replace(tmp_path / "array.jpg")
    assert is_scene(read_photo(tmp_path / "array.png", SHAPE))
    assert is_scene(read_photo(tmp_path / "array.jpg", SHAPE))


@needs_unix
def test_a_name_of_two_lines_is_told_in_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\\nb\.png: no such file"):
        read_photo(tmp_path / "a\nb.png", SHAPE)
