"""What a worker does with images that are none."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pa = pytest.importorskip("pyarrow", reason="needs Ray: pip install 'fgcompile[ray]'")
pytest.importorskip("ray", reason="needs Ray: pip install 'fgcompile[ray]'")

from fgcompile.artifact.file import read_artifact  # noqa: E402
from fgcompile.bulk import stages  # noqa: E402
from fgcompile.bulk.options import Wanted  # noqa: E402
from fgcompile.bulk.stages import Explainer, Task, read_photos  # noqa: E402
from fgcompile.media.images import read_photo  # noqa: E402
from fgcompile.media.reading import Reading  # noqa: E402
from tests.support.tiny_artifacts import WEIGHT, photo_artifact  # noqa: E402

SHAPE = (16, 16, 3)


def test_damaged_images_have_an_error_and_the_others_a_photo(tmp_path: Path) -> None:
    generator = random.Random(0)
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8))
    files = []
    for suffix in ("bmp", "gif", "jpg", "png", "tif", "webp"):
        whole = tmp_path / f"whole.{suffix}"
        noise.save(whole)
        content = whole.read_bytes()
        files.append(whole)
        for number in range(100):
            damaged = bytearray(content)
            for _ in range(generator.randint(1, 20)):
                damaged[generator.randrange(min(len(damaged), 400))] = generator.randrange(256)
            files.append(tmp_path / f"damaged-{number}.{suffix}")
            files[-1].write_bytes(damaged[: generator.randint(0, len(damaged))] if number % 2 else damaged)
    (tmp_path / "no-access").mkdir()
    files += [tmp_path / "missing.jpg", tmp_path / "no-access"]
    table = read_photos(pa.table({"path": [str(file) for file in files]}), SHAPE)
    assert table["path"].to_pylist() == [str(file) for file in files]
    errors = 0
    for row in table.to_pylist():
        assert (row["photo"] is None) != (row["error"] is None)
        if row["photo"] is None:
            errors += 1
            assert Path(row["path"]).name in row["error"]
        else:
            assert row["photo"] == read_photo(Path(row["path"]), SHAPE).tobytes()
        if "whole" in row["path"]:
            assert row["photo"] is not None
    assert errors > 300


def test_the_options_of_reading_reach_the_photos(tmp_path: Path) -> None:
    Image.fromarray(np.full((16, 16), 1000, np.uint16)).save(tmp_path / "deep.png")
    paths = pa.table({"path": [str(tmp_path / "deep.png")]})
    assert "--window" in read_photos(paths, SHAPE).to_pylist()[0]["error"]
    (row,) = read_photos(paths, SHAPE, Reading(window=(0, 2000))).to_pylist()
    assert row["photo"] == bytes([128] * 768)


@pytest.mark.filterwarnings("error")
def test_the_row_of_an_image_on_which_numbers_overflow_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = tmp_path / "huge.onnx"
    artifact.write_bytes(photo_artifact(weight=np.float32(1e37) * WEIGHT))
    content, metadata = read_artifact(artifact)
    monkeypatch.setattr(stages.ray, "get", lambda _: (np.frombuffer(content, np.uint8), metadata))
    for name, level in (("black", 0), ("white", 255)):
        Image.fromarray(np.full((16, 16, 3), level, np.uint8)).save(tmp_path / f"{name}.png")
    paths = pa.table({"path": [str(tmp_path / f"{name}.png") for name in ("black", "white", "none")]})
    task = Task(None, Wanted(artifact, None, "parquet"), tmp_path, ["CPUExecutionProvider"], 1)  # type: ignore[arg-type]
    black, white, none = Explainer(task)(read_photos(paths, SHAPE)).to_pylist()
    assert (black["warning"], none["warning"]) == (None, None)
    assert "values that are NaN or infinite: float32 overflowed" in white["warning"]
