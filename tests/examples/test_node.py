"""``examples/node``: the map of the Python session, and errors in one line."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fgcompile
from benchmarks.serving.node import FOLDER, explain, missing
from fgcompile.pictures.images import read_photo
from tests.examples.conftest import BIRDS, HEIGHT, PLACES, WIDTH, compile_colours, largest_difference
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

if reason := missing():
    pytest.skip(reason, allow_module_level=True)


def run(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """``node explain.mjs …`` in a folder."""
    command = ["node", str(FOLDER / "explain.mjs"), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["-1", "3"])
def test_the_map_is_that_of_the_session(colours: Path, photos: list[Path], target: str) -> None:
    session = fgcompile.load(colours)
    differences = [largest_difference(session, found, int(target)) for found in explain(colours, photos[:4], target)]
    print("largest difference, of the map's maximum:", max(differences))
    assert max(differences) < 1e-4


@pytest.mark.slow
def test_a_trained_network_s_maps_are_those_of_the_session(efficientnet: Path, photos: list[Path]) -> None:
    session = fgcompile.load(efficientnet)
    differences = [largest_difference(session, found) for found in explain(efficientnet, photos)]
    print("largest difference, of the map's maximum:", max(differences))
    assert np.median(differences) < 1e-4
    assert max(differences) < 2e-3  # where rounding flips a choice of a ReLU6


@pytest.mark.slow
def test_photos_are_read_as_the_command_reads_them(colours: Path, photos: list[Path], tmp_path: Path) -> None:
    exact = tmp_path / "exact.png"
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(noise).save(exact)
    turned = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    Image.open(photos[0]).crop((0, 0, 400, 300)).save(turned, exif=exif, quality=95)
    found = explain(colours, [exact, photos[17], turned])
    pixels = [np.array(each["pixels"]).reshape(HEIGHT, WIDTH, 3) for each in found]
    np.testing.assert_array_equal(pixels[0], noise)
    for path, read in zip((photos[17], turned), pixels[1:], strict=True):
        # of 255; the example crops at whole pixels, which of so small a photo are not so small
        assert np.abs(read - read_photo(path, (HEIGHT, WIDTH, 3)).astype(int)).mean() < 3


def test_what_is_transparent_is_white(colours: Path, photos: list[Path], tmp_path: Path) -> None:
    image = Image.open(photos[17]).convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "clear.png")
    (found,) = explain(colours, [tmp_path / "clear.png"])
    read = np.array(found["pixels"]).reshape(HEIGHT, WIDTH, 3)
    assert np.abs(read - read_photo(tmp_path / "clear.png", (HEIGHT, WIDTH, 3)).astype(int)).mean() < 3


def test_photos_are_fitted_as_the_artifact_says(photos: list[Path], tmp_path: Path) -> None:
    fit = fgcompile.Fit("letterbox", (HEIGHT + 8, WIDTH + 8), "bilinear", (90, 60, 30))
    (found,) = explain(compile_colours(tmp_path / "fitted.onnx", fit=fit), [photos[17]])
    read = np.array(found["pixels"]).reshape(HEIGHT, WIDTH, 3)
    assert np.abs(read - read_photo(photos[17], (HEIGHT, WIDTH, 3), fit=fit).astype(int)).mean() < 3


def test_it_prints_classes_and_writes_the_map(digits: Path, digit_pictures: list[Path], tmp_path: Path) -> None:
    done = run(tmp_path, digits, digit_pictures[0])
    assert done.returncode == 0, done.stderr
    explanation = fgcompile.load(digits).explain(read_photo(digit_pictures[0], (28, 28, 1))[np.newaxis])
    assert explanation.logits is not None
    assert explanation.saliency is not None
    best = np.argsort(-explanation.logits[0])[:3]
    lines = [f"{explanation.logits[0, index]:6.2f}  {index}" for index in best]
    assert done.stdout.splitlines()[:3] == lines
    heat = explanation.saliency[0, 0] - explanation.saliency.min()
    with Image.open(tmp_path / "saliency.png") as written:
        assert np.abs(np.asarray(written, dtype=float) - 255 * heat / heat.max()).max() < 1.5


@pytest.mark.slow
def test_a_class_can_be_chosen(colours: Path, photos: list[Path], tmp_path: Path) -> None:
    for target in range(len(BIRDS)):
        assert run(tmp_path, colours, photos[0], "--target", target, "--output", f"{target}.png").returncode == 0
    assert len({path.read_bytes() for path in tmp_path.glob("*.png")}) == len(BIRDS)


def test_artifacts_on_demand_and_of_a_fixed_class(photos: list[Path], tmp_path: Path) -> None:
    path = compile_colours(tmp_path / "fixed.onnx", target=4, on_demand=True)
    assert largest_difference(fgcompile.load(path), explain(path, photos[:1])[0]) < 1e-4
    done = run(tmp_path, path, photos[0], "--target", 3)
    assert done.returncode == 2
    assert "fixed when compiling" in done.stderr


def test_artifacts_of_one_sample_a_call_run_and_those_of_more_are_refused(photos: list[Path], tmp_path: Path) -> None:
    path = compile_colours(tmp_path / "one.onnx", batch=1)
    assert largest_difference(fgcompile.load(path), explain(path, photos[:1])[0]) < 1e-4
    done = run(tmp_path, compile_colours(tmp_path / "two.onnx", batch=2), photos[0])
    assert done.returncode == 2
    assert "takes 2 photos a call, and here is one: compile it with batch=1" in done.stderr


@pytest.mark.parametrize("target", [[2, 40, 31], [2, 40, -1], [-1, -1, -1]])
def test_an_element_of_a_segmenter_is_that_of_the_session(places: Path, photos: list[Path], target: list[int]) -> None:
    session = fgcompile.load(places)
    (found,) = explain(places, photos[:1], ",".join(map(str, target)))
    pixels = np.array(found["pixels"], dtype=np.uint8).reshape(1, HEIGHT, WIDTH, 3)
    expected = session.explain(pixels, target)
    assert expected.target is not None
    assert found["targets"] == expected.target.tolist()
    found["logits"] = np.reshape(found["logits"], (len(PLACES), HEIGHT, WIDTH))
    assert largest_difference(session, found, target) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("count", [3, "dynamic"])
def test_several_targets_are_those_of_the_session(photos: list[Path], tmp_path: Path, count: int | str) -> None:
    path = compile_colours(tmp_path / "several.onnx", targets=count, on_demand=True)
    session = fgcompile.load(path)
    (found,) = explain(path, photos[:1], "3;-1;0")
    predicted = int(np.argmax(found["logits"]))
    assert found["targets"] == [[3], [predicted], [0]]
    assert largest_difference(session, found, [3, -1, 0]) < 1e-4

    (found,) = explain(path, photos[:1])
    best = np.argsort(-np.array(found["logits"]))[: 3 if count == 3 else 1]
    assert found["targets"] == [[index] for index in best]
    assert largest_difference(session, found, best) < 1e-4


def test_it_names_each_target_and_draws_the_maps_side_by_side(
    places: Path, three: Path, photos: list[Path], tmp_path: Path
) -> None:
    done = run(tmp_path, places, photos[0], "--target", "2,40,31")
    assert done.stdout.splitlines()[0].endswith("  land, height 40, width 31")
    done = run(tmp_path, three, photos[0], "--target", "3;5;1")
    assert [line.split()[1] for line in done.stdout.splitlines()[:3]] == [BIRDS[index] for index in (3, 5, 1)]
    pixels = np.array(explain(three, photos[:1])[0]["pixels"], dtype=np.uint8).reshape(1, HEIGHT, WIDTH, 3)
    maps = fgcompile.load(three).explain(pixels, [3, 5, 1]).saliency
    assert maps is not None
    heat = np.concatenate(list(maps[0, :, 0]), axis=1)
    heat = 255 * (heat - heat.min()) / (heat.max() - heat.min())
    with Image.open(tmp_path / "saliency.png") as written:
        assert np.abs(np.asarray(written, dtype=float) - heat).max() < 1.5


def test_targets_that_there_are_not_are_one_line(places: Path, three: Path, photos: list[Path], tmp_path: Path) -> None:
    for path, target, message in (
        (places, "4,0,0", "give as class an index from 0 to 3"),
        (places, "0,48,0", "give as height an index from 0 to 47"),
        (places, "0,0,64", "give as width an index from 0 to 63"),
        (places, "0,-1,0", "give as height an index from 0 to 47"),
        (places, "2,40", "give the indices class,height,width"),
        (places, "0,0,0;1,1,1", "2 given, and a call of this artifact explains 1"),
        (three, "3", "1 given, and a call of this artifact explains 3"),
        (three, "3;5;6", "target 6 is out of range: give a class from 0 to 5"),
        (three, "3;5;", "is none"),
        (three, "3;5;1.5", "is none"),
    ):
        done = run(tmp_path, path, photos[0], f"--target={target}")
        assert done.returncode == 2, target
        assert message in done.stderr
        assert done.stderr.count("\n") == 1


def test_errors_are_one_line(colours: Path, photos: list[Path], tmp_path: Path) -> None:
    (tmp_path / "tiny.onnx").write_bytes(onnx_artifact())
    (tmp_path / "text.onnx").write_text("not a model")
    content = bytearray(colours.read_bytes())
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    content[len(content) // 3] ^= 1
    (tmp_path / "flipped.onnx").write_bytes(content)
    (tmp_path / "newer.onnx").write_bytes(onnx_artifact(tiny_metadata(schema=99)))
    (tmp_path / "cut.jpg").write_bytes(photos[0].read_bytes()[:9000])
    Image.fromarray(np.full((300, 200), 4095, np.uint16)).save(tmp_path / "deep.png")
    photo = photos[0]
    for arguments, message in {
        (): "usage: node explain.mjs",
        (colours, photo, "--colour"): "--colour",
        (colours, "missing.jpg"): "missing.jpg",
        ("missing.onnx", photo): "missing.onnx",
        (colours, colours): "cannot be read as a picture",
        (colours, "deep.png"): "its ushort numbers say no black and white",
        (colours, "cut.jpg"): "cannot be read as a picture",
        ("text.onnx", photo): "not an fgcompile artifact",
        ("tiny.onnx", photo): "--mean and --std",
        ("cut.onnx", photo): "not an fgcompile artifact",
        ("flipped.onnx", photo): "do not match its SHA-256 seal",
        ("newer.onnx", photo): "made by a newer fgcompile",
        (colours, photo, "--target", "6"): "from 0 to 5",
        (colours, photo, "--target", "eagle"): "target eagle is none",
        (colours, photo, "--output", "missing/map.png"): "missing/map.png",
    }.items():
        done = run(tmp_path, *arguments)
        assert done.returncode == 2, arguments
        assert done.stdout == ""
        assert message in done.stderr
        assert done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "saliency.png").exists()


def test_a_score_of_the_artifact_s_own_has_its_name_and_value(photos: list[Path], tmp_path: Path) -> None:
    options = {"target": fgcompile.scores.Difference(3, 5), "outputs": ("logits", "saliency", "contributions")}
    path = compile_colours(tmp_path / "difference.onnx", **options)
    done = run(tmp_path, path, photos[0])
    logits = fgcompile.load(path).explain(photos[0]).logits
    found = re.search(r"^dotterel − falcon  (-?\d+\.\d\d)$", done.stdout, re.MULTILINE)
    assert found is not None, done
    assert float(found[1]) == pytest.approx(logits[0, 3] - logits[0, 5], abs=0.05)
