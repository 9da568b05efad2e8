"""Files, folders and patterns."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from fgcompile.bulk.paths import find_images
from fgcompile.drawing.files import is_own, write_png
from fgcompile.errors import InputError


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos and other things, which is the current directory."""
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.jpg", "deep/er/c.webp", "out/maps/a.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def names(photos: Path, *arguments: str) -> list[str]:
    return [os.path.relpath(path, photos) for path in find_images(arguments, without=Path("out")).images]


def test_a_folder_is_all_images_below_it_but_the_results(photos: Path) -> None:
    assert names(photos, ".") == ["a.png", "b.JPG", "deep/er/c.webp"]
    assert names(photos, "deep") == ["deep/er/c.webp"]


def test_what_is_passed_over_is_counted(photos: Path) -> None:
    assert find_images(["."], without=Path("out")).passed_over == 2
    assert find_images([".", "notes.txt", "./."], without=Path("out")).passed_over == 1
    assert find_images(["a.png"], without=Path("out")).passed_over == 0


def test_pictures_that_fgcompile_wrote_are_told_by_themselves_and_passed_over_unless_named(photos: Path) -> None:
    write_png(Image.new("RGB", (8, 8)), photos / "deep" / "b-explained.png")
    Image.new("RGB", (8, 8)).save(photos / "mine-explained.png")
    with Image.open(photos / "deep" / "b-explained.png") as image:
        assert image.text["Software"] == "fgcompile"  # type: ignore[attr-defined]
    assert names(photos, ".") == ["a.png", "b.JPG", "deep/er/c.webp", "mine-explained.png"]
    assert names(photos, "**/*.png") == ["a.png", "mine-explained.png"]
    assert find_images(["."], without=Path("out")).own == 2  # and the one in the folder that is written to
    assert find_images(["deep/b-explained.png", "deep"], without=Path("out")).own == 0
    assert names(photos, "deep/b-explained.png") == ["deep/b-explained.png"]
    with pytest.raises(InputError, match=r"deep/\*\.png: its images are pictures that fgcompile wrote.*: name each"):
        find_images(["deep/*.png"], without=Path("out"))
    (photos / "deep" / "pipe.png").mkdir()
    (photos / "short.png").write_bytes((photos / "deep" / "b-explained.png").read_bytes()[:40])
    assert not is_own(photos / "short.png")
    assert not is_own(photos / "deep" / "pipe.png")


def test_an_image_named_twice_is_one_image(photos: Path) -> None:
    assert names(photos, "a.png", "./a.png", str(photos / "deep/../a.png"), "*.png", ".") == names(photos, ".")


def test_patterns(photos: Path) -> None:
    assert names(photos, "**/*.webp") == ["deep/er/c.webp"]
    assert names(photos, "d*") == ["deep/er/c.webp"]


def test_a_file_that_is_named_may_end_in_anything(photos: Path) -> None:
    assert names(photos, "notes.txt", ".hidden.jpg") == [".hidden.jpg", "notes.txt"]


def test_brackets_in_a_name_are_no_pattern(photos: Path) -> None:
    (photos / "[1].png").touch()
    assert names(photos, "[1].png") == ["[1].png"]


@pytest.mark.parametrize("argument", ["missing.png", "*.gif", "empty"])
def test_an_argument_without_images_is_refused(photos: Path, argument: str) -> None:
    (photos / "empty").mkdir()
    with pytest.raises(InputError, match="no image is there"):
        find_images(["a.png", argument], without=Path("out"))


def test_the_folder_that_is_written_to_is_named_where_the_images_are_there(photos: Path) -> None:
    with pytest.raises(InputError, match=r"its images are in .*, which is written to and so passed over"):
        find_images([str(photos)], without=photos)


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: other systems have no such names")
def test_a_name_that_is_not_text_is_refused(photos: Path) -> None:
    (photos / os.fsdecode(b"caf\xe9.jpg")).touch()
    with pytest.raises(InputError, match=r"caf\\xe9\.jpg.*not UTF-8"):
        find_images(["."], without=Path("out"))
