"""The folder that survives kills: what is committed counts, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="needs Ray: pip install 'fgcompile[ray]'")
pytest.importorskip("filelock", reason="needs Ray: pip install 'fgcompile[ray]'")

import pyarrow.parquet as pq  # noqa: E402

from fgcompile.bulk.folder import Folder, claim  # noqa: E402
from fgcompile.errors import InputError, OutputError  # noqa: E402

IDENTITY = {"artifact": "sha256:0", "target": 3}


def write(file: Path, *paths: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"path": list(paths), "error": pa.nulls(len(paths), pa.string())}), file)


def commit(folder: Folder, name: str, *paths: str) -> None:
    """What Ray Data leaves of one task that is done."""
    write(folder.results / f"{name}-0.parquet", *paths)
    write(folder.commits / f"{name}.parquet", *paths)


def test_what_is_committed_is_done(tmp_path: Path) -> None:
    with claim(tmp_path / "new" / "out", IDENTITY) as folder:
        assert folder.done() == set()
        assert folder.errors() == {}
        commit(folder, "run_000001", "a", "b")
        write(folder.commits / "run_000002.pending.parquet", "c")
    with claim(tmp_path / "new" / "out", IDENTITY) as folder:
        assert folder.done() == {"a", "b"}
        assert folder.errors() == {"a": None, "b": None}


def test_a_worker_of_an_earlier_run_cannot_commit(tmp_path: Path) -> None:
    with claim(tmp_path, IDENTITY) as earlier:
        write(earlier.commits / "run_000001.pending.parquet", "a")
    with claim(tmp_path, IDENTITY) as folder:
        with pytest.raises(FileNotFoundError):
            (earlier.commits / "run_000001.pending.parquet").rename(earlier.commits / "run_000001.parquet")
        with pytest.raises(FileNotFoundError):
            pq.write_table(pa.table({"path": ["a"]}), earlier.commits / "run_000002.pending.parquet")
        assert folder.done() == set()


def test_what_is_not_committed_is_deleted(tmp_path: Path) -> None:
    with claim(tmp_path, IDENTITY) as folder:
        commit(folder, "run_000001", "a")
        write(folder.results / "run_000002-0.parquet", "a")
        (folder.results / "run_000003-0.parquet").write_bytes(b"PAR1, and then the power went")
        folder.maps.mkdir()
        for name in (".fgcompile-0123456789abcdef.part", "a-0123456789abcdef.png"):
            (folder.maps / name).touch()
        folder.delete_uncommitted()
        assert folder.errors() == {"a": None}
        assert [file.name for file in folder.maps.iterdir()] == ["a-0123456789abcdef.png"]
        write(folder.results / "run_000004-0.parquet", "a")
        write(folder.commits / "run_000004.pending.parquet", "a")
    with claim(tmp_path, IDENTITY) as folder:
        assert folder.errors() == {"a": None}


def test_what_is_deleted_is_done_again(tmp_path: Path) -> None:
    with claim(tmp_path, IDENTITY) as folder:
        commit(folder, "run_000001", "a")
        commit(folder, "run_000002", "b", "c")
        assert folder.count_new({}) == 3
        (folder.results / "run_000001-0.parquet").unlink()
        assert folder.done() == {"b", "c"}


def test_a_doubled_row_is_an_error(tmp_path: Path) -> None:
    with claim(tmp_path, IDENTITY) as folder:
        commit(folder, "run_000001", "a")
        commit(folder, "run_000002", "a")
        with pytest.raises(OutputError, match="1 rows too many"):
            folder.errors()


@pytest.mark.parametrize("changes", [{"artifact": "sha256:1"}, {"target": 4}])
def test_results_of_something_else_are_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with claim(tmp_path, IDENTITY):
        pass
    name = next(iter(changes))
    with (
        pytest.raises(InputError, match=f"holds results with {name} .* give another folder"),
        claim(tmp_path, IDENTITY | changes),
    ):
        pass
    with claim(tmp_path, IDENTITY):  # what it held is still there
        pass


def test_results_of_nobody_are_refused(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with pytest.raises(InputError, match="not of `fgcompile batch`"), claim(tmp_path, IDENTITY):
        pass


def test_two_runs_at_once_are_refused(tmp_path: Path) -> None:
    with (
        claim(tmp_path, IDENTITY),
        pytest.raises(InputError, match="another run is writing here"),
        claim(tmp_path, IDENTITY),
    ):
        pass


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"), claim(tmp_path / "file", IDENTITY):
        pass


@pytest.mark.parametrize("content", ["[" * 100_000, "[1]", "7", '"x"', "{", "\x00"])
def test_a_run_of_another_kind_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run\.json cannot be read") as caught, claim(tmp_path, IDENTITY):
        pass
    assert "\n" not in str(caught.value)


def test_what_else_lies_among_the_commits_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".commits" / "notes").mkdir(parents=True)
    with claim(tmp_path, IDENTITY) as folder:
        assert folder.commits.name.startswith("1-")
