"""The C++ programs, built against PyTorch's own libraries, return what a session in Python returns."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from benchmarks.networks.samples import find_pictures, load_digit_network, load_photo_network
from benchmarks.serving import cpp
from fgcompile.artifact.file import read_metadata
from fgcompile.artifact.metadata import dumps
from fgcompile.pictures.images import photo_shape, read_photo
from tests.examples.conftest import compile_places
from tests.support.networks import ConvNet, randomised

PROGRAMS = {".pt": "explain_torchscript", ".pt2": "explain_package"}
SUFFIXES = {"torchscript": ".pt", "pt2": ".pt2"}
SIZE = (64, 48)
REFUSED = "is damaged, or neither TorchScript nor a package of fgcompile's: `fgcompile inspect` says more"
IMAGENET = fgcompile.Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


REASON = cpp.missing()
# Slow: building against libtorch, and a process for each photo.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the two programs, built by the commands of examples/README.md."""
    return cpp.build(tmp_path_factory.mktemp("cpp") / "build")


def compile_network(path: Path, form: str, **options: Any) -> Path:
    torch.manual_seed(0)
    model, x = randomised(ConvNet(classes=10)), torch.randn(2, 3, *SIZE)
    fgcompile.compile(model, x, format=form, **{"preprocess": IMAGENET, **options}).save(path)
    return path


@pytest.fixture(scope="session", params=["torchscript", pytest.param("pt2", marks=pytest.mark.slow)])
def artifact(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network that takes raw photos, in each format."""
    return compile_network(tmp_path_factory.mktemp("artifact") / f"small{SUFFIXES[request.param]}", request.param)


def program_of(artifact: Path) -> str:
    return PROGRAMS[artifact.suffix]


@dataclass(frozen=True)
class Answer:
    """What a program printed, and the files that it left."""

    printed: list[str]
    logits: np.ndarray
    saliency: np.ndarray
    picture: np.ndarray


def write_photo(path: Path, artifact: Path, folder: Path) -> np.ndarray:
    """The photo as the artifact takes it, (H, W, C), also written as the PPM or PGM that the programs read."""
    shape = photo_shape(fgcompile.load(artifact).metadata)
    pixels = read_photo(path, shape)
    cpp.write_photo(pixels, folder)
    return pixels


def explain(programs: Path, artifact: Path, folder: Path, *target: int) -> Answer:
    printed, logits, saliency = cpp.explain(programs, artifact, folder, *target)
    with Image.open(folder / "saliency.pgm") as opened:
        picture = np.asarray(opened)
    return Answer(printed, logits, saliency, picture)


def require_the_sessions_answer(programs: Path, artifact: Path, photo: Path, folder: Path, *target: int) -> Answer:
    """The program's logits, map, picture and text are those of a session on the same pixels."""
    pixels = write_photo(photo, artifact, folder)
    found = explain(programs, artifact, folder, *target)
    expected = fgcompile.load(artifact, threads=1).explain(pixels[None], *target)
    largest = {}
    for name in ("logits", "saliency"):
        ours, theirs = getattr(found, name), getattr(expected, name)
        assert ours.shape == theirs.shape
        largest[name] = float(np.abs(ours - theirs).max() / np.abs(theirs).max())
    print(f"{artifact.name}, {photo.name}: largest difference from the session, relative to the maximum: {largest}")
    assert max(largest.values()) <= 1e-6
    heat = expected.saliency[0, 0] - expected.saliency.min()
    assert np.abs(found.picture - 255 * heat / heat.max()).max() <= 1.01
    assert (found.picture.min(), found.picture.max()) == (0, 255)
    predicted = expected.logits[0].argmax()
    assert found.printed == [
        f"predicted class {predicted}, score {expected.logits[0, predicted]:.6g}",
        f"explained class {expected.target[0]}, score {expected.logits[0, expected.target[0]]:.6g}",
        "the map is in saliency.pgm, logits and map in explanation.pt",
    ]
    return found


def test_the_session_answers_alike(programs: Path, artifact: Path, tmp_path: Path) -> None:
    photo = find_pictures("imagenet")[0].path
    answer = require_the_sessions_answer(programs, artifact, photo, tmp_path)
    predicted = int(answer.logits.argmax())
    other = require_the_sessions_answer(programs, artifact, photo, tmp_path, (predicted + 3) % 10)
    np.testing.assert_array_equal(other.logits, answer.logits)
    assert np.abs(other.saliency - answer.saliency).max() > 1e-3
    same = require_the_sessions_answer(programs, artifact, photo, tmp_path, -1)
    np.testing.assert_array_equal(same.saliency, answer.saliency)


def test_a_trained_network_of_grey_photos_on_demand(programs: Path, tmp_path: Path) -> None:
    network = load_digit_network()
    preprocess = fgcompile.Preprocess(mean=network.mean, std=network.std)
    example = torch.randn(2, *network.input_shape)
    path = tmp_path / "digits.pt"
    fgcompile.compile(
        network.model, example, format="torchscript", preprocess=preprocess, labels=network.labels, on_demand=True
    ).save(path)
    pictures = network.pictures[:3]
    answers = [require_the_sessions_answer(programs, path, picture.path, tmp_path) for picture in pictures]
    assert sum(answer.logits.argmax() == picture.label for answer, picture in zip(answers, pictures, strict=True)) >= 2


@pytest.mark.slow
def test_a_package_on_demand(programs: Path, tmp_path: Path) -> None:
    path = compile_network(tmp_path / "small.pt2", "pt2", on_demand=True)
    for target in ((), (3,)):
        require_the_sessions_answer(programs, path, find_pictures("imagenet")[0].path, tmp_path, *target)


@pytest.mark.slow
@pytest.mark.parametrize("form", list(SUFFIXES))
def test_a_trained_network(programs: Path, form: str, tmp_path: Path) -> None:
    network = load_photo_network()
    preprocess = fgcompile.Preprocess(mean=network.mean, std=network.std)
    path = tmp_path / f"lite0{SUFFIXES[form]}"
    fgcompile.compile(network.model, torch.randn(2, *network.input_shape), format=form, preprocess=preprocess).save(
        path
    )
    right = 0
    for picture in network.pictures:
        answer = require_the_sessions_answer(programs, path, picture.path, tmp_path)
        right += answer.logits.argmax() == picture.label
    assert right == 18


def refuse(programs: Path, program: str, folder: Path, *arguments: object) -> str:
    """The one line that the program says of wrong input; it leaves no files."""
    before = sorted(folder.iterdir())
    done = cpp.run(programs / program, *arguments, cwd=folder)
    assert done.returncode == 2, done.stdout
    assert done.stdout == ""
    assert done.stderr.endswith("\n")
    assert sorted(folder.iterdir()) == before
    (line,) = done.stderr.splitlines()
    return line


def test_wrong_photos_and_targets_are_one_line(programs: Path, artifact: Path, tmp_path: Path) -> None:
    program = program_of(artifact)
    pixels = write_photo(find_pictures("imagenet")[0].path, artifact, tmp_path)
    photo = (tmp_path / "photo.ppm").read_bytes()
    Image.fromarray(pixels[:, :40]).save(tmp_path / "narrow.ppm")
    Image.fromarray(pixels[..., 0]).save(tmp_path / "grey.ppm")
    Image.fromarray(pixels).save(tmp_path / "photo.png")
    (tmp_path / "short.ppm").write_bytes(photo[:-1])
    (tmp_path / "empty.ppm").write_bytes(b"")
    (tmp_path / "deep.ppm").write_bytes(photo.replace(b"255", b"65535", 1))
    for name, message in {
        "absent.ppm": "absent.ppm: cannot be read: give the path of a photo",
        "narrow.ppm": "narrow.ppm: is 40 x 64, the artifact takes 48 x 64: crop it to that",
        "grey.ppm": "grey.ppm: is not a binary PPM (P6) with 8 bits a channel",
        "photo.png": "photo.png: is not a binary PPM (P6) with 8 bits a channel",
        "deep.ppm": "deep.ppm: is not a binary PPM (P6) with 8 bits a channel",
        "empty.ppm": "empty.ppm: is not a binary PPM (P6) with 8 bits a channel",
        "short.ppm": "short.ppm: is cut off: write it again",
    }.items():
        assert refuse(programs, program, tmp_path, artifact, name) == message
    for target in ("10", "-2"):
        line = refuse(programs, program, tmp_path, artifact, "photo.ppm", target)
        assert line == f"target {target} is out of range: give a class from 0 to 9, or -1 for the predicted one"
    for target in ("3.5", "99999999999999999999", "", "3;"):
        assert "is none: give a number" in refuse(programs, program, tmp_path, artifact, "photo.ppm", target)
    assert "2 given" in refuse(programs, program, tmp_path, artifact, "photo.ppm", "3;5")
    for arguments in ((), (artifact, "photo.ppm", "1", "2")):
        assert refuse(programs, program, tmp_path, *arguments).startswith("usage: ")


def require_the_sessions_maps(
    programs: Path, artifact: Path, folder: Path, text: str, target: Any, named: list[str]
) -> None:
    """Of targets that are no single class: maps, the picture of them side by side, and what is printed."""
    pixels = write_photo(find_pictures("imagenet")[0].path, artifact, folder)
    printed, logits, saliency = cpp.explain(programs, artifact, folder, text)
    expected = fgcompile.load(artifact, threads=1).explain(pixels[None], target)
    np.testing.assert_array_equal(logits, expected.logits)
    assert saliency.shape == expected.saliency.shape
    np.testing.assert_allclose(saliency, expected.saliency, rtol=0, atol=1e-6 * expected.saliency.max())
    heat = np.concatenate(list(expected.saliency.reshape(-1, *saliency.shape[-2:])), axis=1)
    heat = 255 * (heat - heat.min()) / (heat.max() - heat.min())
    with Image.open(folder / "saliency.pgm") as opened:
        assert np.abs(np.asarray(opened) - heat).max() <= 1.01
    targets = expected.target.reshape(len(named), -1)
    scores = [expected.logits[(0, *row)] for row in targets]
    assert printed[1:-1] == [f"explained {name}, score {s:.6g}" for name, s in zip(named, scores, strict=True)]


def test_an_element_of_a_segmenter(programs: Path, tmp_path: Path) -> None:
    path = compile_places(tmp_path / "places.pt", format="torchscript")
    for text, target in (("2,40,31", [2, 40, 31]), ("2,40,-1", [2, 40, -1]), ("-1", [-1, -1, -1])):
        photo = write_photo(find_pictures("imagenet")[0].path, path, tmp_path)
        named = fgcompile.load(path).explain(photo[None], target).target
        assert named is not None
        name = "class {}, height {}, width {}".format(*named[0])
        require_the_sessions_maps(programs, path, tmp_path, text, target, [name])
    rest = "or -1 alone for the largest of all"
    for text, message in {
        "4,0,0": f"target 4,0,0 is out of range: give as class an index from 0 to 3, {rest}",
        "2,48,0": f"target 2,48,0 is out of range: give as height an index from 0 to 47, {rest}",
        "2,40": "target 2,40 is none: give the indices class,height,width",
        "1,1,1;2,2,2": "target: 2 given, and a call of this artifact explains 1",
    }.items():
        assert refuse(programs, program_of(path), tmp_path, path, "photo.ppm", text) == message


@pytest.mark.parametrize("count", [3, "dynamic"])
def test_several_targets(programs: Path, tmp_path: Path, count: int | str) -> None:
    path = compile_network(tmp_path / "several.pt", "torchscript", targets=count)
    named = ["class 3", "class 5", "class 7"]
    require_the_sessions_maps(programs, path, tmp_path, "3;5;7", [3, 5, 7], named)
    if count == 3:
        line = refuse(programs, program_of(path), tmp_path, path, "photo.ppm", "3;5")
        assert line == "target: 2 given, and a call of this artifact explains 3"


def test_comments_in_a_photo_are_skipped(programs: Path, artifact: Path, tmp_path: Path) -> None:
    write_photo(find_pictures("imagenet")[0].path, artifact, tmp_path)
    plain = explain(programs, artifact, tmp_path)
    photo = (tmp_path / "photo.ppm").read_bytes()
    (tmp_path / "photo.ppm").write_bytes(photo.replace(b"P6\n", b"P6\n# by a camera\n# 1 2 3\n", 1))
    np.testing.assert_array_equal(explain(programs, artifact, tmp_path).saliency, plain.saliency)


def test_wrong_artifacts_are_one_line(programs: Path, artifact: Path, tmp_path: Path) -> None:
    program = program_of(artifact)
    other = next(name for name in PROGRAMS.values() if name != program)
    write_photo(find_pictures("imagenet")[0].path, artifact, tmp_path)
    content = artifact.read_bytes()
    (tmp_path / "cut").write_bytes(content[: len(content) // 2])
    (tmp_path / "empty").write_bytes(b"")
    torch.jit.script(nn.ReLU()).save(tmp_path / "foreign")
    with zipfile.ZipFile(artifact) as archive, zipfile.ZipFile(tmp_path / "incomplete", "w") as incomplete:
        for name in archive.namelist():
            if not name.endswith((".so", "/data.pkl")):
                incomplete.writestr(name, archive.read(name))
    for name, message in {
        "absent": "absent: cannot be read: give the path of an artifact",
        "empty": "empty: cannot be read: give the path of an artifact",
        "cut": f"cut: {REFUSED}",
        "foreign": f"foreign: {REFUSED}",
        "photo.ppm": f"photo.ppm: {REFUSED}",
        "/": "/: cannot be read: give the path of an artifact",
    }.items():
        assert refuse(programs, program, tmp_path, name, "photo.ppm") == message
    incomplete = refuse(programs, program, tmp_path, "incomplete", "photo.ppm")
    assert re.fullmatch(r"incomplete: libtorch cannot run it \(.+\): `fgcompile inspect` says more", incomplete)
    assert "use the other program" in refuse(programs, other, tmp_path, artifact, "photo.ppm")


def test_artifacts_of_other_inputs_are_refused(programs: Path, artifact: Path, tmp_path: Path) -> None:
    """The programs go by the metadata, so that these alone need be others."""
    program = program_of(artifact)
    write_photo(find_pictures("imagenet")[0].path, artifact, tmp_path)
    metadata = read_metadata(artifact)
    photo, target = metadata["inputs"]
    prepared = {"dtype": "float32", "name": "x", "shape": ["batch", 3, *SIZE]}
    sizes = {**photo, "example": photo["shape"], "shape": ["batch", "height", "width", 3]}
    bias = {"dtype": "float32", "name": "stem.bias", "optional": True, "shape": [8]}
    message = "does not take one photo of fixed size and a target, and return logits and saliency"
    for change, expected in (
        ({"inputs": [prepared, target]}, message),
        ({"inputs": [sizes, target]}, message),
        ({"inputs": [photo]}, message),
        ({"inputs": [photo, target, bias]}, message),
        ({"outputs": metadata["outputs"][:1]}, message),
        ({"device": "cuda"}, "is compiled for a graphics card"),
    ):
        with zipfile.ZipFile(artifact) as archive, zipfile.ZipFile(tmp_path / "other", "w") as other:
            for name in archive.namelist():
                changed = name.endswith("/extra/fgcompile.json")
                other.writestr(name, dumps({**metadata, **change}) if changed else archive.read(name))
        assert expected in refuse(programs, program, tmp_path, "other", "photo.ppm")
