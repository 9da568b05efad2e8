"""The folder of a bulk run, in which a run that was killed goes on where it stopped, with no row lost or doubled.

::

    run.json          what is computed: the artifact's digest, the target, the format
    results/          Parquet files, a row for each image
    maps/             the files of the formats npz and png
    .images.parquet   the images that this run, or the last one, has to do
    .commits/<n>/     of the n-th run, the paths that each of its files in results/ holds

Ray Data commits a file of results in two phases (``ray.data.checkpoint``): it writes the file's paths as *pending*,
then the file, then renames the paths to committed. A file counts if its paths are committed; all others are deleted,
when a run begins and when it ends. Paths count if their file is there: whoever deletes it has them done again.

Workers may outlive a killed run for a moment, and commit while the next one begins. So a run commits in a folder
``.commits/<n>-running``, and the next one renames it before it looks: who knows the old name can commit no more.

What is done is left out of ``.images.parquet``, and not by Ray Data itself: its filter is an actor with a CPU of its
own, beside which a run that had just enough of them would wait for ever when it goes on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from fgcompile.bulk.ray_internals import PENDING
from fgcompile.errors import InputError, OutputError
from fgcompile.system.files import write_atomically

_IDENTITY = "run.json"
_RUNNING = "-running"


@dataclass(frozen=True)
class Folder:
    """The output folder, claimed for one run.

    Attributes:
        path: Absolute.
        commits: Where Ray Data commits what this run writes.
    """

    path: Path
    commits: Path

    @property
    def results(self) -> Path:
        """The rows."""
        return self.path / "results"

    @property
    def maps(self) -> Path:
        """The files of single images."""
        return self.path / "maps"

    @property
    def listing(self) -> Path:
        """The images that were asked for."""
        return self.path / ".images.parquet"

    def write_listing(self, paths: Sequence[str]) -> None:
        """Writes the images to be done: Ray Data commits what it has read from files, and nothing else."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"path": pa.array(paths, pa.string())}), sink)
        write_atomically(self.listing, sink.getvalue().to_pybytes())

    def done(self) -> set[str]:
        """The paths that have a committed row."""
        written = {_task(file) for file in self.results.glob("*.parquet")}
        files = [str(file) for file in self._all_committed() if file.stem in written]
        return set(pads.dataset(files).to_table(columns=["path"])["path"].to_pylist()) if files else set()

    def delete_uncommitted(self) -> None:
        """Deletes the files of results whose paths are not committed, and what is left of maps half written."""
        committed = {file.stem for file in self._all_committed()}
        for file in self.results.glob("*.parquet"):
            if _task(file) not in committed:
                file.unlink()
        for file in self.maps.glob(".fgcompile-*.part"):
            file.unlink()

    def _all_committed(self) -> list[Path]:
        return [file for run in self.commits.parent.iterdir() for file in _committed(run)]

    def count_new(self, known: dict[Path, int]) -> int:
        """The rows that this run has committed so far; ``known`` keeps those of each file for the next time."""
        for file in _committed(self.commits):
            if file not in known:
                known[file] = pq.read_metadata(file).num_rows
        return sum(known.values())

    def errors(self) -> dict[str, str | None]:
        """Each row's error by its image's path; None for one that was explained.

        Raises:
            OutputError: An image has several rows.
        """
        if not self.results.is_dir():
            return {}
        rows = pads.dataset(self.results).to_table(columns=["path", "error"])
        errors = dict(zip(rows["path"].to_pylist(), rows["error"].to_pylist(), strict=True))
        if len(errors) != rows.num_rows:
            raise OutputError(
                f"{self.results}: {rows.num_rows - len(errors)} rows too many: start over in another folder"
            )
        return errors

    def overflowed(self) -> int:
        """The rows with a warning; those of an earlier version have none."""
        rows = pads.dataset(self.results)
        return int(rows.count_rows(filter=pads.field("warning").is_valid())) if "warning" in rows.schema.names else 0


@contextmanager
def claim(path: Path, identity: Mapping[str, Any]) -> Iterator[Folder]:
    """Claims a folder for one run: what it holds must be of the same artifact, target and format.

    Args:
        path: Created if need be.
        identity: What is computed.

    Raises:
        InputError: It holds results of something else, or another run has claimed it.
        OutputError: It cannot be written.
    """
    path = path.absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError(f"{path}: another run is writing here: wait for it, or give another folder") from None
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}): give another path") from error
    with lock:
        _require_same(path, identity)
        write_atomically(path / _IDENTITY, json.dumps(identity, indent=2, ensure_ascii=False).encode())
        folder = Folder(path, _begin(path / ".commits"))
        folder.delete_uncommitted()
        yield folder


def _committed(commits: Path) -> list[Path]:
    return [file for file in commits.glob("*.parquet") if not file.name.endswith(PENDING)]


def _task(results: Path) -> str:
    """The task of Ray Data's that wrote a file of results: it numbers the files of one."""
    return results.stem.rpartition("-")[0]


def _require_same(path: Path, identity: Mapping[str, Any]) -> None:
    file = path / _IDENTITY
    if not file.exists():
        if (path / "results").exists():
            raise InputError(f"{path}: its results are not of `fgcompile batch`: give another folder")
        return
    try:
        found = dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{file} cannot be read ({error}): give another folder") from error
    for key in identity:
        if found.get(key) != identity[key]:
            raise InputError(
                f"{path} holds results with {key} {found.get(key)}, and this run has {identity[key]}: "
                "give another folder"
            )


def _begin(commits: Path) -> Path:
    """Where this run commits, once no other can commit any more."""
    commits.mkdir(exist_ok=True)
    for entry in commits.glob(f"*{_RUNNING}"):
        entry.rename(commits / entry.name.removesuffix(_RUNNING))
    following = 1 + max((int(entry.name) for entry in commits.iterdir() if entry.name.isdecimal()), default=0)
    return commits / f"{following}{_RUNNING}"  # which Ray Data makes
