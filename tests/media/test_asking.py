"""Targets by name and place, several in one picture, and what artifacts cannot be asked."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fgcompile.artifact.metadata import Metadata, loads
from fgcompile.artifact.wishes import read_element, read_elements
from fgcompile.cli.next_steps import commands, python_calls
from fgcompile.drawing.blending import style_of
from fgcompile.drawing.marks import marks_of
from fgcompile.drawing.panels import draw_comparison
from fgcompile.drawing.photo import Photo, in_colour
from fgcompile.drawing.subjects import Shown
from fgcompile.errors import InputError, TargetWarning
from fgcompile.media.boxes import Boxes
from fgcompile.media.explain import explain_photos
from fgcompile.runtime import Session
from tests.support.tiny_artifacts import dumps, tiny_metadata

LABELS = ["bald eagle", "black kite", "black cat", "tench, Tinca tinca", "cat"]


def described(axes: list[tuple[str, int]], targets: int | str | None = None, **changes: Any) -> Metadata:
    """Metadata of an artifact that takes photos of 32 by 32 and targets on these axes."""
    several = [] if targets is None else ["targets" if targets == "dynamic" else targets]
    form = ["batch", *several, *([len(axes)] if len(axes) > 1 else [])]
    asked = changes.get("target", "input") == "input"
    settings: dict[str, Any] = {
        "inputs": [{"name": "x", "dtype": "uint8", "shape": ["batch", 32, 32, 3]}]
        + [{"name": "target", "dtype": "int64", "shape": form}] * asked,
        "outputs": [
            {"name": "logits", "dtype": "float32", "shape": ["batch", *(size for _, size in axes)]},
            {"name": "saliency", "dtype": "float32", "shape": ["batch", *several, 1, 32, 32]},
        ],
        "preprocess": {"mean": [0.5] * 3, "std": [0.5] * 3},
        "labels": LABELS if 5 in [size for _, size in axes] else None,
        **({"target_axes": [{"name": name, "size": size} for name, size in axes]} if asked else {}),
        **({} if targets is None else {"targets": targets}),
    }
    return loads(dumps(tiny_metadata(**settings | changes)), "artifact")


CLASSES = described([("class", 5)])
PLACES = described([("class", 5), ("height", 8), ("width", 8)])


class Flat:
    """A backend whose logits are given, and whose map of an element is its place among them, plus one."""

    def __init__(self, metadata: Metadata) -> None:
        self.metadata, self.calls = metadata, 0
        self.logits = np.random.default_rng(0).normal(size=metadata["outputs"][0]["shape"][1:]).astype(np.float32)

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        self.calls += 1
        sizes = self.logits.shape
        target = feeds["target"][0]
        rows = target.reshape(-1, len(sizes))
        flat = [self.logits.argmax() if (row == -1).all() else np.ravel_multi_index(tuple(row), sizes) for row in rows]
        shape = feeds["target"].shape[1 : 2 if "targets" in self.metadata else 1]
        maps = np.array(flat, np.float32).reshape(1, *shape, 1, 1, 1) + np.ones((32, 32), np.float32)
        return {"logits": self.logits[np.newaxis], "saliency": maps}


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(np.arange(32 * 32 * 3, dtype=np.uint8).reshape(32, 32, 3)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize(
    ("wish", "metadata", "element"),
    [
        (None, CLASSES, (-1,)),
        ("predicted", PLACES, (-1, -1, -1)),
        (3, CLASSES, (3,)),
        ("3", CLASSES, (3,)),
        ("CAT", CLASSES, (4,)),
        pytest.param("bald", CLASSES, (0,), marks=pytest.mark.filterwarnings("ignore:target 'bald'")),
        ("tench, tinca", CLASSES, (3,)),
        ("cat,7,0", PLACES, (4, 7, 0)),
        ("tench, Tinca tinca,7,0", PLACES, (3, 7, 0)),
        ("predicted,7,0", PLACES, (-1, 7, 0)),
        ((2, 7, -1), PLACES, (2, 7, -1)),
    ],
)
def test_elements_from_words(wish: Any, metadata: Metadata, element: tuple[int, ...]) -> None:
    assert read_element(wish, metadata) == element


def test_a_beginning_that_is_taken_for_a_name_is_told() -> None:
    with pytest.warns(TargetWarning, match="target 'bald' is taken for class 0, 'bald eagle', which alone begins so"):
        assert read_element("bald", CLASSES) == (0,)
    with warnings.catch_warnings():
        warnings.simplefilter("error", TargetWarning)
        for wish, index in (("CAT", 4), ("tench", 3), ("bald eagle", 0)):
            assert read_element(wish, CLASSES) == (index,)


@pytest.mark.parametrize(
    ("wish", "metadata", "message"),
    [
        ("tiger", CLASSES, "'tiger' is no class"),
        ("eagle", CLASSES, "perhaps 'bald eagle'"),
        ("balk eagle", CLASSES, "perhaps 'bald eagle'"),
        ("black", CLASSES, "several classes: give a number, of 1 'black kite', 2 'black cat'"),
        ("5", CLASSES, "target 5 is out of range"),
        ("1,2", CLASSES, "'1,2' is no class of the artifact: give a name of .*, or several as targets"),
        ("cat,8,0", PLACES, "give as height an index from 0 to 7"),
        ("cat,low,0", PLACES, "give as height a whole number"),
        ("cat,1", PLACES, "3 indices, class, height, width"),
        ("cat", described([("class", 4)]), "no names of classes"),
    ],
)
def test_what_no_element_is_called(wish: str, metadata: Metadata, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_element(wish, metadata)
    assert "\n" not in str(error.value)


def test_lists_of_elements() -> None:
    assert read_elements("bald eagle,cat", CLASSES) == ((0,), (4,))
    assert read_elements("tench, Tinca tinca; 1", CLASSES) == ((3,), (1,))
    assert read_elements("cat,1,2; 0,3,4", PLACES) == ((4, 1, 2), (0, 3, 4))
    with pytest.raises(InputError, match="twice"):
        read_elements("cat,4", CLASSES)
    with pytest.raises(InputError, match="none"):
        read_elements(";", CLASSES)


@pytest.mark.parametrize(("targets", "calls"), [(None, 3), (2, 2), (3, 1), (4, 1), ("dynamic", 1)])
@pytest.mark.parametrize("axes", [[("class", 5)], [("class", 5), ("height", 8), ("width", 8)]])
def test_several_elements_take_as_few_calls_as_they_can(
    photo: Path, axes: list[tuple[str, int]], targets: int | str | None, calls: int
) -> None:
    metadata = described(axes, targets)
    backend = Flat(metadata)
    wishes = "cat;0;2" if len(axes) == 1 else "cat,1,2;0,3,4;2,5,6"
    session = Session(backend, metadata)  # type: ignore[arg-type]
    (record,) = explain_photos(session, [photo], photo.parent / "out", targets=wishes, npy=True)
    elements = read_elements(wishes, metadata)
    assert [np.atleast_1d(each["target"]).tolist() for each in record["explained"]] == [list(each) for each in elements]
    assert [each["score"] for each in record["explained"]] == [float(backend.logits[each]) for each in elements]
    maps = [1 + np.ravel_multi_index(each, backend.logits.shape) for each in elements]
    assert np.load(record["saliency"])[:, 0, 0].tolist() == maps
    assert backend.calls == calls


def test_the_best_are_the_best_classes_at_the_largest_s_place(photo: Path) -> None:
    for metadata in (CLASSES, PLACES, described([("class", 5)], 2)):
        backend = Flat(metadata)
        session = Session(backend, metadata)  # type: ignore[arg-type]
        (record,) = explain_photos(session, [photo], photo.parent / "out", top=3)
        place = np.unravel_index(backend.logits.argmax(), backend.logits.shape)[1:]
        wanted = np.argsort(-backend.logits[(slice(None), *place)])[:3]
        assert [np.atleast_1d(each["target"])[0] for each in record["explained"]] == wanted.tolist()
        assert backend.calls == {None: 3, 2: 2}[metadata.get("targets")]  # type: ignore[index]


@pytest.mark.parametrize("targets", [None, 2, "dynamic"])
def test_without_a_target_one_call_does(photo: Path, targets: Any) -> None:
    metadata = described([("class", 5)], targets)
    backend = Flat(metadata)
    (record,) = explain_photos(Session(backend, metadata), [photo], photo.parent / "out")  # type: ignore[arg-type]
    assert record["target"] == int(backend.logits.argmax())
    assert backend.calls == 1


def test_the_class_of_a_place_is_found_by_the_logits(photo: Path) -> None:
    backend = Flat(PLACES)
    session = Session(backend, PLACES)  # type: ignore[arg-type]
    (record,) = explain_photos(session, [photo], photo.parent / "out", target="-1,3,4")
    assert record["target"] == [int(backend.logits[:, 3, 4].argmax()), 3, 4]


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"target": 1, "targets": "1,2"}, "target and targets are given"),
        ({}, {"target": 1, "top": 2}, "target and top are given"),
        ({}, {"top": 6}, "top is 6: the artifact has 5 classes"),
        ({}, {"top": 0}, "give 1 or more"),
        ({"target": 3}, {"top": 3}, "fixed when compiling"),
        ({"target": 3}, {"target": 3}, "fixed when compiling"),
        ({"target": "predicted"}, {"top": 2}, "the best alone"),
        ({}, {"box": "boxes"}, "OUTPUT:LAYOUT"),
        ({}, {"box": "boxes:xyxy"}, "no such output"),
    ],
)
def test_what_an_artifact_cannot_be_asked(
    photo: Path, changes: dict[str, Any], options: dict[str, Any], message: str
) -> None:
    metadata = described([("class", 5)], **changes)
    with pytest.raises(InputError, match=message):
        explain_photos(Session(Flat(metadata), metadata), [photo], photo.parent / "out", **options)  # type: ignore[arg-type]


def test_maps_are_on_one_scale_and_the_difference_has_two_colours() -> None:
    photo = np.full((160, 160, 3), 100, np.uint8)
    low, high = np.zeros((160, 160)), np.zeros((160, 160))
    low[:80], high[80:] = 1, 4
    panel = np.asarray(
        draw_comparison(Photo(in_colour(photo)), [Shown(low, "low"), Shown(high, "high")], False, style_of(False))
    ).astype(int)
    _, first, second, difference = (panel[:160, 164 * column : 164 * column + 160] for column in range(4))
    assert np.ptp(first[40, 80]) < np.ptp(second[120, 80])
    assert difference[120, 80, 2] > difference[120, 80, 0]  # blue: the second is larger
    assert difference[40, 80, 0] > difference[40, 80, 2]


def test_a_segmenter_s_place_and_region() -> None:
    logits = np.zeros((5, 8, 8), np.float32)
    logits[2, :4] = 1
    marks = marks_of((2, 1, 6), logits, PLACES)
    assert marks.place == (1.5 / 8, 6.5 / 8)
    assert marks.region is not None
    assert marks.region[:4].all()
    assert not marks.region[4:].any()


def test_boxes_in_pixels_and_parts(photo: Path) -> None:
    metadata = described([("query", 6), ("class", 5)])
    rows = np.zeros((6, 4), np.float32)
    rows[2] = (16, 8, 8, 4)
    assert Boxes("boxes", "cxcywh").of((2, 1), rows, (32, 64), metadata) == (12 / 64, 6 / 32, 20 / 64, 10 / 32)
    assert Boxes("boxes", "xywh").of((2, 1), rows.T, (32, 64), metadata) == (16 / 64, 8 / 32, 24 / 64, 12 / 32)
    assert Boxes("boxes", "xyxy", fraction=True).of((2, 1), rows / 32, (32, 64), metadata)[0] == 0.5
    raw = np.concatenate([rows, np.full((6, 1), 99, np.float32)], axis=1)  # as a YOLO returns it, a score behind
    for given in (raw, raw.T):
        assert Boxes("output0", "xyxy").of((2, 1), given, (32, 64), metadata) == (16 / 64, 8 / 32, 8 / 64, 4 / 32)
    for shape in ((6, 6), (6, 3), (2, 6, 5)):
        for name in ("output0", "logits"):
            with pytest.raises(InputError, match="fewer than its Q candidates"):
                Boxes(name, "xyxy").of((2, 1), np.ones(shape, np.float32), (32, 64), metadata)
    with pytest.raises(InputError, match="boxes:xyxy:fraction"):
        Boxes("boxes", "xyxy").of((2, 1), rows / 32, (32, 64), metadata)
    with pytest.raises(InputError, match="no candidate 9"):
        Boxes("boxes", "xyxy", candidate=9).of(None, rows, (32, 64), metadata)


def detector(axes: list[tuple[str, int]], **changes: Any) -> tuple[Session, Any]:
    """A detector's raw head, four coordinates in pixels in front of three classes, of 9 candidates."""
    metadata = described(axes, **changes)
    backend = Flat(metadata)
    classes = 0 if axes[0][1] == 7 else 1
    backend.logits = np.full(backend.logits.shape, 0.25, np.float32)
    numbers = np.moveaxis(backend.logits, classes, 0)
    numbers[:4] = 20
    numbers[5, 6], numbers[6, 2] = 3, 2
    return Session(backend, metadata), numbers  # type: ignore[arg-type]


@pytest.mark.parametrize("axes", [[("class", 7), ("axis_2", 9)], [("axis_1", 9), ("class", 7)]])
def test_a_coordinate_is_no_class_of_a_head_that_holds_boxes(photo: Path, axes: list[tuple[str, int]]) -> None:
    session, _ = detector(axes)
    turned = axes[0][1] == 9

    def explained(**asked: Any) -> Any:
        (record,) = explain_photos(session, [photo], photo.parent / "out", box="logits:cxcywh", **asked)
        return record

    record = explained()
    assert record["target"] == ([6, 5] if turned else [5, 6])
    assert [each["index"][turned] for each in record["top"]] == [5, 4, 6]
    assert len(explained(top=7)["explained"]) == 3
    assert explained(target="2,-1" if turned else "-1,2")["target"] == ([2, 6] if turned else [6, 2])
    assert explained(target="-1,6" if turned else "6,-1")["target"] == ([2, 6] if turned else [6, 2])
    assert explained(target="2,1" if turned else "1,2")["score"] == 20  # a coordinate that is asked for


def test_an_artifact_that_seeks_the_largest_by_itself_may_explain_a_coordinate(photo: Path) -> None:
    session, _ = detector([("class", 7), ("axis_2", 9)], target="predicted")
    with pytest.raises(InputError, match="may be a coordinate of a box: compile with target=None"):
        explain_photos(session, [photo], photo.parent / "out", box="logits:cxcywh")


@pytest.mark.parametrize("metadata", [CLASSES, PLACES, described([("class", 5)], 2)])
def test_commands_that_are_recommended_work(photo: Path, metadata: Metadata) -> None:
    for command in commands(metadata, Path("a b.onnx")):
        words = shlex.split(command)
        assert words[2] == "a b.onnx"
        options = dict(zip((word[2:] for word in words[6::2]), words[7::2], strict=True))
        top = {"top": int(options.pop("top"))} if "top" in options else {}
        session = Session(Flat(metadata), metadata)  # type: ignore[arg-type]
        assert explain_photos(session, [photo], photo.parent / "out", **options, **top)
    assert python_calls(metadata)[0] == 'session.explain("photo.jpg")'


def test_the_part_that_a_region_is_of_is_marked() -> None:
    scored = {"name": "Region", "arguments": {"index": 1, "rows": [2, 4]}}
    metadata = described([], asked=False, target="score", score="Region(index=1, rows=(2, 4))", scored=scored)
    assert marks_of(None, np.zeros((2, 8, 16), np.float32), metadata).box == (0, 2 / 8, 1, 4 / 8)
    assert marks_of(None, None, metadata).box is None
    scored["arguments"] = {"index": 1, "mask": True}
    metadata = described([], asked=False, target="score", score="Region(index=1, mask=True)", scored=scored)
    assert marks_of(None, np.zeros((2, 8, 16), np.float32), metadata).box is None


def test_calls_have_the_photo_s_path_beside_further_inputs() -> None:
    metadata = described([("class", 5)], target=3)
    mask = {"name": "mask:0", "dtype": "float32", "shape": ["batch", 8, 8]}
    metadata["inputs"] = [*metadata["inputs"], mask]  # type: ignore[list-item]
    assert python_calls(metadata) == ['session.explain({"x": "photo.jpg", "mask:0": mask_0})']


def test_nothing_is_recommended_that_takes_no_photos() -> None:
    tokens = {"inputs": [{"name": "ids", "dtype": "int64", "shape": ["batch", 6]}], "preprocess": None}
    assert commands(described([("class", 5)], target=3, **tokens), Path("a.onnx")) == []
