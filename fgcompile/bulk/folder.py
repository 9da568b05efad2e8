"""The folder of a bulk run, in which a run that was killed goes on where it stopped, with no row lost or doubled.

::

    run.json           what is computed: the artifact's digest, the target, the format
    results/           Parquet files, a row for each image
    maps/              the files of the formats npz and png
    .images.parquet    the images that were asked for last
    .checkpoint/<n>/   Ray Data's: the paths that each file of results/ holds

Ray Data commits a file of results in two phases (``ray.data.checkpoint``): it writes the file's paths as *pending*,
then the file, then renames the paths to committed. A file counts if its paths are committed. When a run begins, Ray
Data deletes the files whose paths are still pending, and takes the committed paths out of the images to be done.

Two things it leaves to us. Workers may outlive a killed run for a moment, and commit while the next one begins: so each
run renames the checkpoint, and a worker of an earlier run, which knows the old name, can commit no more. What such a
worker has written all the same has no committed paths, and is deleted when a run ends.
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

from fgcompile.artifact import write_atomically
from fgcompile.errors import InputError, OutputError

_IDENTITY = "run.json"


@dataclass(frozen=True)
class Folder:
    """The output folder, claimed for one run.

    Attributes:
        path: Absolute.
        checkpoint: Where Ray Data notes what is done, under a name that no earlier run knows.
    """

    path: Path
    checkpoint: Path

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
        """Writes what Ray Data reads: it resumes what it reads from files, and nothing else."""
        sink = pa.BufferOutputStream()
        pq.write_table(pa.table({"path": pa.array(paths, pa.string())}), sink)
        write_atomically(self.listing, sink.getvalue().to_pybytes())

    def done(self) -> set[str]:
        """The paths that have a committed row."""
        files = [str(file) for file in self.checkpoint.glob("*.parquet") if not file.name.endswith(".pending.parquet")]
        if not files:
            return set()
        return set(pads.dataset(files).to_table(columns=["path"])["path"].to_pylist())

    def delete_uncommitted(self) -> None:
        """Deletes files of results whose paths are not committed; no worker may be writing any more."""
        for file in self.results.glob("*.parquet"):
            name = file.stem.rpartition("-")[0]  # Ray Data numbers the files of one task
            if not (self.checkpoint / f"{name}.parquet").exists():
                file.unlink()

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
        yield Folder(path, _rename_checkpoint(path / ".checkpoint"))


def _require_same(path: Path, identity: Mapping[str, Any]) -> None:
    file = path / _IDENTITY
    if not file.exists():
        if (path / "results").exists():
            raise InputError(f"{path}: its results are not of `fgcompile batch`: give another folder")
        return
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read ({error}): give another folder") from error
    for key in identity:
        if found.get(key) != identity[key]:
            raise InputError(
                f"{path} holds results with {key} {found.get(key)}, and this run has {identity[key]}: "
                "give another folder"
            )


def _rename_checkpoint(parent: Path) -> Path:
    """The checkpoint, under the next number."""
    parent.mkdir(exist_ok=True)
    last = max((int(entry.name) for entry in parent.iterdir() if entry.name.isdecimal()), default=0)
    following = parent / str(last + 1)
    if last:
        (parent / str(last)).rename(following)
    else:
        following.mkdir()
    return following
