"""``fgcompile explain`` with pictures as they come: deep, transparent, broken, with names of any kind."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

import fgcompile
from benchmarks.pictures.files import png
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import photo_artifact

PIXELS = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.onnx").write_bytes(photo_artifact())
    (tmp_path / "photo.png").write_bytes(png(PIXELS))
    (tmp_path / "broken.png").write_bytes(png(PIXELS)[:100])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_one_bad_file_does_not_end_the_others(run: Run, folder: Path) -> None:
    result = run("explain", "net.onnx", "broken.png", "photo.png", "missing\n.png", "-o", "out", "--json")
    assert (result.status, result.err) == (1, "")
    broken, explained, missing = json.loads(result.out)
    assert broken["image"] == "broken.png"
    assert "broken.png cannot be read as a picture" in broken["error"]
    assert missing == {"image": "missing\n.png", "error": r"missing\n.png: no such file"}
    assert explained["overlay"] == "out/photo-explained.png"
    assert os.listdir("out") == ["photo-explained.png"]
    shown = run("explain", "net.onnx", "broken.png", "photo.png", "-o", "out")
    assert shown.status == 1
    assert "unreadable: broken.png cannot be read" in shown.err
    assert "unreadable" not in shown.out
    assert "out/photo-explained.png" in shown.out


def test_the_same_scene_in_8_and_16_bits_is_the_same_explanation(run: Run, folder: Path) -> None:
    grey = PIXELS[..., :1]
    Path("eight.png").write_bytes(png(grey))
    Path("sixteen.png").write_bytes(png(257 * grey.astype("u2")))
    eight, sixteen = json.loads(
        run("explain", "net.onnx", "eight.png", "sixteen.png", "-o", "out", "--npy", "--json").out
    )
    assert eight["top"] == sixteen["top"]
    assert np.array_equal(np.load(eight["saliency"]), np.load(sixteen["saliency"]))


def test_options_reach_the_reader(run: Run, folder: Path) -> None:
    deep, clear = Path("deep.png"), Path("clear.png")
    deep.write_bytes(png(PIXELS[..., :1].astype("u2")))
    clear.write_bytes(png(np.concatenate([PIXELS, np.zeros_like(PIXELS[..., :1])], 2)))
    assert "--window 0,255" in run("explain", "net.onnx", deep, "-o", "out").err
    session = fgcompile.load("net.onnx")
    for photo, options, pixels in (
        (deep, ["--window", "0,255"], np.repeat(PIXELS[..., :1], 3, 2)),
        (clear, [], np.full_like(PIXELS, 255)),
        (clear, ["--background", "#102030"], np.full_like(PIXELS, 1) * np.array([16, 32, 48], np.uint8)),
    ):
        result = run("explain", "net.onnx", photo, "-o", "out", "--json", *options)
        (record,) = json.loads(result.out)
        assert record["top"][0]["score"] == pytest.approx(float(session.predict(pixels[None]).max()), rel=1e-5)
    assert "no page 2" in run("explain", "net.onnx", "photo.png", "-o", "out", "--page", "2").err
    assert "--max-pixels" in run("explain", "net.onnx", "photo.png", "-o", "out", "--max-pixels", "99").err


@pytest.mark.parametrize("command", ["explain", "batch"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--window", "5"], "--window 5: give the values of black and white"),
        (["--window", "a,b"], "--window a,b: give the values of black and white"),
        (["--window", "9,3"], "window is 9 to 3"),
        (["--window", "nan,3"], "window is nan to 3"),
        (["--background", "colourless"], "--background colourless"),
        (["--background", "#12345678"], "opaque"),
        (["--page", "0"], "page is 0"),
        (["--max-pixels", "0"], "--max-pixels is 0"),
    ],
)
def test_wrong_options(run: Run, folder: Path, command: str, options: list[str], message: str) -> None:
    assert_one_line_error(run(command, "net.onnx", "photo.png", "-o", "out", *options), message)


def test_names_cannot_break_the_table(run: Run, folder: Path) -> None:
    Path("new\nline\x1b[2J.png").write_bytes(png(PIXELS))
    result = run("explain", "net.onnx", "new\nline\x1b[2J.png", "-o", "out")
    assert result.status == 0, result.err
    assert r"new\nline\x1b[2J.png" in result.out
    header, row = result.out.splitlines()  # in a pipe
    assert len(header.split("\t")) == len(row.split("\t")) == 5
    assert not set("\x1b\u202e\u2028\r") & set(result.out)
    assert not set("\x1b\u202e\u2028\r") & set(run("inspect", "net.onnx").out)
    assert os.listdir("out") == [r"new\nline\x1b[2J-explained.png"]


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: other systems have no such names")
def test_names_that_are_not_utf8(run: Run, folder: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    Path(name).write_bytes(png(PIXELS))
    assert r"caf\udce9.png" in run("explain", "net.onnx", name, "-o", "out").out
    (record,) = json.loads(run("explain", "net.onnx", name, "-o", "out", "--json").out)
    assert record["image"] == name


def test_folders_and_patterns_are_all_of_their_photos(run: Run, folder: Path) -> None:
    Path("photos/more").mkdir(parents=True)
    for name in ("photos/b.png", "photos/more/a.png", "photos/notes.txt"):
        Path(name).write_bytes(png(PIXELS))

    def explained(*inputs: str) -> list[str]:
        result = run("explain", "net.onnx", *inputs, "-o", "photos/out", "--json")
        assert result.status == 0, result.err
        return [record["image"] for record in json.loads(result.out)]

    assert explained("photo.png", "photos") == ["photo.png", "photos/b.png", "photos/more/a.png"]
    assert explained("photos") == ["photos/b.png", "photos/more/a.png"]  # and not the pictures that were written
    assert explained("photos/*.png") == ["photos/b.png"]
    Path("empty").mkdir()
    assert_one_line_error(run("explain", "net.onnx", "empty", "-o", "out"), "empty: no image is there")


def test_pictures_of_runs_before_are_passed_over_and_said(run: Run, folder: Path) -> None:
    Path("broken.png").unlink()
    assert run("explain", "net.onnx", ".", "-o", "first", "--overlay").err == ""
    told = "passed over: 2 pictures that fgcompile wrote: name each to explain it\n"
    for options in (["-o", "first"], ["-o", "second"], ["-o", "third", "--json"]):
        result = run("explain", "net.onnx", ".", *options)
        assert (result.status, result.err.replace("passed over: 3", "passed over: 2")) == (0, told)
        assert result.out.count("photo-explained.png") == 1
    assert run("explain", "net.onnx", ".", "-o", "fourth", "-q").err == ""
    named = run("explain", "net.onnx", "first/photo-explained.png", "-o", "of")
    assert (named.status, named.err) == (0, "")
    assert Path("of/photo-explained-explained.png").exists()


def test_pictures_are_fitted_as_they_are_asked_to_be(run: Run, folder: Path) -> None:
    wide = PIXELS.repeat(2, axis=1)
    Path("wide.png").write_bytes(png(wide))

    def score(*options: str) -> float:
        result = run("explain", "net.onnx", "wide.png", "-o", "out", "--target", "0", "--json", *options)
        assert result.status == 0, result.err
        return float(json.loads(result.out)[0]["score"])

    assert len({score(), score("--fit", "squash"), score("--fit", "letterbox")}) == 3
    assert score() == score("--fit", "crop")
    refused = run("explain", "net.onnx", "wide.png", "-o", "out", "--fit", "tile")
    assert_one_line_error(refused, "compile the artifact with --psi signed")
