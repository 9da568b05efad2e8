"""A file that is replaced keeps its mode; what a killed process left is removed, what a live one has is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fgcompile.system.files import write_atomically
from fgcompile.system.leftovers import new_partial, remove_leftovers, temporary_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from fgcompile.system.leftovers import new_partial
partial = new_partial(Path(sys.argv[1]))
partial.touch()
folder = partial.with_name(partial.name.removesuffix(".part").lstrip("."))
folder.mkdir()
(folder / "file").touch()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def _look_again() -> None:
    remove_leftovers.cache_clear()


def test_a_mode_is_kept_and_a_new_file_has_the_umask_s(tmp_path: Path) -> None:
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_atomically(path, b"new")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o604)
    write_atomically(path, b"other")
    assert (path.stat().st_mode & 0o777, path.read_bytes()) == (0o604, b"other")


def test_the_file_and_its_folder_are_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    write_atomically(tmp_path / "file", b"x")
    assert synced[0].endswith(".part")
    assert synced[1:] == [str(tmp_path)]


def test_what_a_killed_process_left_is_removed_by_the_next_write(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert len(list(tmp_path.iterdir())) == 2
    foreign = tmp_path / ".fgcompile-00000000-1-abc.part"
    others = [foreign, tmp_path / "fgcompile-demo", tmp_path / ".fgcompile-notes.part", new_partial(tmp_path)]
    for other in others:
        other.touch()
    write_atomically(tmp_path / "file", b"x")
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "file"])
    os.utime(foreign, (0, 0))  # of another machine, and of no use for long
    remove_leftovers.cache_clear()
    remove_leftovers(tmp_path)
    assert not foreign.exists()


def test_a_temporary_folder_is_gone_at_the_end() -> None:
    with temporary_folder() as folder:
        assert Path(folder).is_dir()
    assert not Path(folder).exists()
