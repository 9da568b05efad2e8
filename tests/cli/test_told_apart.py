"""The table of photos: each line says which photo it is of."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.results import Run
from tests.support.tiny_artifacts import photo_artifact


def test_photos_of_one_name_are_told_apart_in_each_line(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("photo.onnx").write_bytes(photo_artifact())
    photos = ["one/tri.png", "two/tri.png", "two/other.png"]
    for photo in photos:
        Path(photo).parent.mkdir(exist_ok=True)
        Image.radial_gradient("L").convert("RGB").save(photo)
    shown = run("explain", "photo.onnx", *photos, "-o", "out", "--targets", "0,1").out
    cells = [line.split("\t")[0] for line in shown.splitlines()]
    assert [cell for cell in cells if cell.endswith(".png")] == [
        each for name in ("one/tri.png", "two/tri.png", "other.png") for each in (name, name)
    ]
