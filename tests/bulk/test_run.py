"""Whole runs on Ray: one that is killed and goes on, in each format, against the session itself.

Ray is started twice: by a run in a process of its own, which is killed, and by this process for all others.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import fgcompile
from fgcompile.bulk import explain_in_bulk
from fgcompile.bulk.options import Summary, Workers
from fgcompile.errors import FgcompileError, InputError
from fgcompile.pictures.images import read_photo
from fgcompile.pictures.reading import Reading
from tests.support.tiny_artifacts import photo_artifact

if find_spec("ray") is None:
    pytest.skip("needs Ray: pip install 'fgcompile[ray]'", allow_module_level=True)

import pyarrow.parquet as pq

pytestmark = pytest.mark.slow  # minutes, on two cores, for starting Ray anew and anew

SHAPE = (16, 16, 3)
LOOPBACK = {"127.0.0.1", "::1", "::ffff:127.0.0.1"}


def draw_photos(folder: Path, count: int, side: int) -> list[str]:
    """Photos that take a worker a while to read."""
    folder.mkdir()
    paths = [folder / f"photo-{number}.jpg" for number in range(count)]
    for number, path in enumerate(paths):
        small = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(small).resize((side, side + 1)).save(path)
    return [str(path) for path in paths]


def committed(output: Path) -> int:
    """The rows that are committed so far."""
    files = [file for file in output.glob(".commits/*/*.parquet") if ".pending" not in file.name]
    try:
        return sum(pq.read_metadata(file).num_rows for file in files)
    except FileNotFoundError:  # a run that begins has renamed the folder in between
        return committed(output)


def read_rows(output: Path) -> dict[str, dict[str, Any]]:
    """The rows by path, read as anybody would; each path once."""
    rows = pq.read_table(output / "results").to_pylist()
    assert len({row["path"] for row in rows}) == len(rows)
    return {row["path"]: row for row in rows}


def start(artifact: Path, photos: Path, output: Path, log: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "fgcompile", "batch", artifact, photos, "-o", output]
    with log.open("ab") as file:
        return subprocess.Popen([*map(str, command), "--actors", "1", "--batch", "2"], stdout=file, stderr=file)


def wait_for(output: Path, rows: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until a run has committed so many rows."""
    deadline = time.monotonic() + 300
    while committed(output) < rows:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.02)


def listening(process: subprocess.Popen[bytes]) -> set[str]:
    """The addresses that a process and its descendants listen on."""
    psutil = pytest.importorskip("psutil", reason="needs psutil: pip install psutil")
    found = set()
    for one in [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]:
        try:
            found |= {port.laddr.ip for port in one.net_connections("inet") if port.status == psutil.CONN_LISTEN}
        except psutil.NoSuchProcess:
            continue
    return found


@dataclass(frozen=True)
class Killed:
    """A run that was killed, and the one that went on, with one image more."""

    artifact: Path
    photos: list[str]
    broken: list[str]
    output: Path
    addresses: set[str]
    before: int
    summary: Summary

    def explain_again(self, images: Sequence[str], output: Path | None = None, **options: Any) -> Summary:
        return explain_in_bulk(self.artifact, images, output or self.output, **options)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Ray in this process, for as many runs as there are."""
    from fgcompile.bulk.cluster import connect

    path = tmp_path_factory.mktemp("ray") / "photo.onnx"
    path.write_bytes(photo_artifact())
    with connect(Workers(actors=1), fgcompile.load(path).metadata):
        yield


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, here: None) -> Killed:
    folder = tmp_path_factory.mktemp("bulk")
    artifact, output, log = folder / "photo.onnx", folder / "out", folder / "log"
    artifact.write_bytes(photo_artifact())
    photos = draw_photos(folder / "photos", 24, side=1800)
    broken = [str(folder / "photos" / name) for name in ("cut.jpg", "empty.png", "text.gif")]
    Path(broken[0]).write_bytes(Path(photos[0]).read_bytes()[:3000])
    Path(broken[1]).touch()
    Path(broken[2]).write_text("no picture")
    process = start(artifact, folder / "photos", output, log)
    try:
        wait_for(output, 1, process, log)
        addresses, before = listening(process), committed(output)
    finally:
        process.kill()
        process.wait()
    photos += draw_photos(folder / "more", 1, side=20)
    summary = explain_in_bulk(artifact, [str(folder / "photos"), photos[-1]], output)
    return Killed(artifact, photos, broken, output, addresses, before, summary)


def test_a_killed_run_goes_on_where_it_stopped(killed: Killed) -> None:
    assert 0 < killed.before < 27
    assert 1 < killed.summary.new <= 28 - killed.before
    assert (killed.summary.images, killed.summary.explained, killed.summary.unreadable) == (28, 25, 3)
    assert sorted(killed.summary.errors) == sorted(killed.broken)
    assert killed.summary.rate > 0
    assert read_rows(killed.output).keys() == {*killed.photos, *killed.broken}


def test_rows_are_what_the_session_says(killed: Killed) -> None:
    rows, session = read_rows(killed.output), fgcompile.load(killed.artifact)
    for path in killed.photos:
        row, photo = rows[path], read_photo(Path(path), SHAPE)
        expected = session.explain(photo[np.newaxis])
        saliency = np.array(row["saliency"], np.float32).reshape(row["height"], row["width"])
        np.testing.assert_allclose(saliency, expected.saliency[0, 0], rtol=1e-6)
        assert row["target"] == row["predicted"] == expected.target[0]
        assert row["label"] == session.metadata["labels"][row["target"]]
        assert row["score"] == pytest.approx(expected.logits[0].max(), rel=1e-6)
        assert row["error"] is None


def test_unreadable_images_have_a_row_that_says_why(killed: Killed) -> None:
    rows = read_rows(killed.output)
    for path in killed.broken:
        assert "cannot be read as a picture" in rows[path]["error"]
        assert {key for key, value in rows[path].items() if value is not None} == {"path", "error"}


def test_ray_listens_on_loopback_alone(killed: Killed) -> None:
    assert killed.addresses
    assert killed.addresses <= LOOPBACK


def test_a_run_that_is_done_has_nothing_to_do(killed: Killed) -> None:
    summary = killed.explain_again(killed.photos)
    assert (summary.images, summary.new, summary.seconds) == (25, 0, 0)


def test_pandas_reads_the_results(killed: Killed) -> None:
    frame = (
        pytest.importorskip("pandas", reason="needs pandas: pip install pandas")
        .read_parquet(killed.output / "results")
        .set_index("path")
    )
    assert frame.loc[killed.photos, "saliency"].map(len).eq(256).all()
    assert frame["saliency"].dtype == object
    assert frame["error"].notna().sum() == 3


def test_maps_in_files(killed: Killed, tmp_path: Path) -> None:
    """A map that cannot be written stops the run, and the same command goes on with it."""
    session = fgcompile.load(killed.artifact)
    name = f"photo-1-{hashlib.sha256(killed.photos[1].encode()).hexdigest()[:16]}.npz"
    (tmp_path / "maps" / name).mkdir(parents=True)
    with pytest.raises(FgcompileError, match=r"Ray stopped the run \(/.*\.npz: cannot be written"):
        killed.explain_again(killed.photos[:4] + killed.broken[:1], tmp_path, target=2, format="npz")
    (tmp_path / "maps" / name).rmdir()
    summary = killed.explain_again(killed.photos[:4] + killed.broken[:1], tmp_path, target=2, format="npz")
    assert (summary.images, summary.unreadable) == (5, 1)
    rows = read_rows(tmp_path)
    assert rows.keys() == {*killed.photos[:4], killed.broken[0]}
    for path in killed.photos[:4]:
        expected = session.explain(read_photo(Path(path), SHAPE)[np.newaxis], 2)
        with np.load(tmp_path / rows[path]["file"]) as arrays:
            np.testing.assert_allclose(arrays["saliency"], expected.saliency[0, 0], rtol=1e-6)
            np.testing.assert_allclose(arrays["logits"], expected.logits[0], rtol=1e-6)
        assert rows[path]["target"] == 2
        assert rows[path]["score"] == pytest.approx(expected.logits[0, 2], rel=1e-6)
    assert {f"maps/{file.name}" for file in (tmp_path / "maps").iterdir()} == {
        row["file"] for row in rows.values() if row["error"] is None
    }


def test_pictures(killed: Killed, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    twin = tmp_path / "again" / Path(killed.photos[0]).name  # two images of one name
    twin.write_bytes(Path(killed.photos[1]).read_bytes())
    killed.explain_again([killed.photos[0], str(tmp_path)], tmp_path / "out", format="png")
    files = [row["file"] for row in read_rows(tmp_path / "out").values()]
    assert len(set(files)) == 2
    for file in files:
        with Image.open(tmp_path / "out" / file) as image:
            assert image.size[0] > 3 * 160


def test_the_error_of_a_worker_is_the_users(killed: Killed, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="unknown execution provider Abacus"):
        killed.explain_again(killed.photos, tmp_path, workers=Workers(providers=["Abacus"]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": 1}, "holds results with target"),
        ({"format": "npz"}, "holds results with format"),
        ({"reading": Reading(window=(0, 100))}, "holds results with reading"),
        ({"format": "jpg"}, "format is 'jpg'"),
        ({"target": 5}, "target 5 is out of range"),
    ],
)
def test_other_options_are_refused(killed: Killed, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        killed.explain_again(killed.photos, **options)
    assert len(read_rows(killed.output)) == 28


def test_another_artifact_is_refused(killed: Killed, tmp_path: Path) -> None:
    other = tmp_path / "photo.onnx"
    other.write_bytes(photo_artifact(labels=None))
    with pytest.raises(InputError, match="holds results with artifact sha256:"):
        explain_in_bulk(other, killed.photos, killed.output)


@pytest.mark.slow
def test_a_thousand_images_and_three_kills(tmp_path: Path) -> None:
    """Killed at random points, every image has exactly one row; the next run begins at once, among the dying."""
    generator = random.Random(0)
    count, artifact, output, log = 1200, tmp_path / "photo.onnx", tmp_path / "out", tmp_path / "log"
    artifact.write_bytes(photo_artifact())
    originals = draw_photos(tmp_path / "originals", 24, side=1200)
    (tmp_path / "photos").mkdir()
    for number, original in zip(range(count), itertools.cycle(originals), strict=False):
        os.link(original, tmp_path / "photos" / f"photo-{number:04}.jpg")
    (tmp_path / "photos" / "broken.jpg").write_text("no picture")
    before = 0
    for kill in range(3):
        process = start(artifact, tmp_path / "photos", output, log)
        try:
            wait_for(output, generator.randint(before + 1, (kill + 1) * count // 4), process, log)
            time.sleep(generator.random())
            assert process.poll() is None
        finally:
            process.kill()
        before = committed(output)
        print(f"killed with {before} of {count + 1} rows committed")
    assert 0 < before < count
    process = start(artifact, tmp_path / "photos", output, log)
    assert process.wait(1200) == 1, log.read_text()  # one cannot be read
    assert "broken.jpg cannot be read" in log.read_text()
    print(log.read_text())
    rows, session = read_rows(output), fgcompile.load(artifact)
    assert rows.keys() == {str(path) for path in (tmp_path / "photos").iterdir()}
    assert [path for path, row in rows.items() if row["error"] is not None] == [str(tmp_path / "photos" / "broken.jpg")]
    largest = 0.0
    for path, row in rows.items():
        if row["error"] is None:
            expected = session.explain(read_photo(Path(path), SHAPE)[np.newaxis]).saliency
            largest = max(largest, float(np.abs(np.array(row["saliency"], np.float32) - expected.ravel()).max()))
    print(f"largest difference from the session's own map {largest}")
    assert largest < 1e-3
