"""Every input and target that an artifact does not take is refused in one line that says what to do."""

import numpy as np
import pytest
import torch

from fgcompile.artifact.questions import check_target, largest
from fgcompile.artifact.sizes import size_of
from fgcompile.artifact.validation import check_feeds, check_inputs, named_sizes
from fgcompile.errors import InputError
from tests.support.tiny_artifacts import tiny_metadata

X = np.zeros((2, 3, 4, 4), dtype=np.float32)
CLASSES = np.array([0, -1])
TWO = {"batch": 2}
CAST = "use x.astype(np.float32), of a tensor x.to(torch.float32)"
TAKES = "the artifact takes (batch, 3, 4, 4)"


def spec(name, *shape, dtype="float32"):
    return {"name": name, "dtype": dtype, "shape": list(shape)}


PAIR = tiny_metadata(
    target="score",
    inputs=[spec("image", "batch", 3, "height", "width"), spec("mask", "batch", "height", dtype="uint8")],
)
IMAGE = np.zeros((2, 3, 5, 6), dtype=np.float32)
MASK = np.zeros((2, 5), dtype=np.uint8)


def changed(array, *places):
    array = array.copy()
    for index, value in places:
        array[index] = value
    return array


def message(check, *arguments) -> str:
    with pytest.raises(InputError) as caught:
        check(*arguments)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_masks_of_booleans_are_zeros_and_ones():
    """Of an input of floating-point numbers alone: bytes are not taken for booleans."""
    taken = check_inputs((X > 0) | (np.arange(4) > 1), tiny_metadata())["x"]
    assert taken.dtype == np.float32
    np.testing.assert_array_equal(taken[0, 0, 0], [0, 0, 1, 1])
    assert "mask is bool, the artifact takes uint8" in message(check_inputs, (IMAGE, MASK > 0), PAIR)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (X[0], f"x has shape (3, 4, 4), {TAKES}: add the batch axis, x[np.newaxis]"),
        (X[0, 0], f"x has shape (4, 4), {TAKES}: give an array of rank 4"),
        (np.float32(0) * X[0, 0, 0, 0], "x is a float32, not a NumPy array: use np.asarray(x, dtype=np.float32)"),
        (X[None], f"x has shape (1, 2, 3, 4, 4), {TAKES}: give an array of rank 4"),
        (X[:, :1], f"x has shape (2, 1, 4, 4), {TAKES}: axis 1 must be 3, not 1"),
        (
            np.zeros((1, 4, 4, 3), np.float32),
            f"x has shape (1, 4, 4, 3), {TAKES}: axis 1 must be 3, not 4; move its channels, np.moveaxis(x, -1, 1)",
        ),
        (X[..., :3], f"x has shape (2, 3, 4, 3), {TAKES}: axis 3 must be 4, not 3"),
        (X[:0], f"x has shape (0, 3, 4, 4), {TAKES}: axis 0 (batch) is empty, give at least 1"),
        (X.astype(np.float64), f"x is float64, the artifact takes float32: {CAST}"),
        (X.astype(np.float16), f"x is float16, the artifact takes float32: {CAST}"),
        (
            X.astype(np.uint8),
            "x is uint8, the artifact takes float32: normalise it as in training, as ((x / 255 - mean) / "
            "std).astype(np.float32) of a photo, or compile with "
            "preprocess=Preprocess(mean, std), for an artifact that takes the raw photo",
        ),
        (
            X.astype(">f4"),
            f"x is float32 in foreign byte order, the artifact takes float32: {CAST}",
        ),
        (X[0, :2], f"x has shape (2, 4, 4), {TAKES}: give an array of rank 4"),
        (X.tolist(), "x is a list, not a NumPy array: use np.asarray(x, dtype=np.float32)"),
        (torch.zeros(2, 3, 4, 4), "x is a Tensor, not a NumPy array: use np.asarray(x, dtype=np.float32)"),
        (None, "x is a NoneType, not a NumPy array: give one of float32"),
        (
            changed(X, ((1, 2, 0, 3), np.nan)),
            "x has 1 value that is NaN or infinite, the first at index (1, 2, 0, 3): replace or drop them",
        ),
        (
            changed(X, ((1, 0, 0, 0), np.inf), ((0, 2, 1, 0), -np.inf), ((1, 2, 3, 3), np.nan)),
            "x has 3 values that are NaN or infinite, the first at index (0, 2, 1, 0): replace or drop them",
        ),
        ((X, X), "2 inputs given, the artifact takes 1: x"),
        ((), "0 inputs given, the artifact takes 1: x"),
        ({}, "missing input x: the artifact takes x"),
        ({"x": X, "y": X}, "unknown input y: the artifact takes x"),
        ({"x": X, "target": np.zeros(2, np.int64)}, "unknown input target: the artifact takes x"),
    ],
)
def test_an_input_is_refused(x, expected):
    assert message(check_inputs, x, tiny_metadata()) == expected


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ((IMAGE, MASK[:1]), "mask has batch 1, image has 2: give both the same batch"),
        ((IMAGE, MASK[:, :4]), "mask has height 4, image has 5: give both the same height"),
        (
            (IMAGE, MASK.astype(np.int64)),
            "mask is int64, the artifact takes uint8: use mask.astype(np.uint8), of a tensor mask.to(torch.uint8)",
        ),
        (IMAGE, "1 inputs given, the artifact takes 2: image, mask"),
        ({"mask": MASK}, "missing input image: the artifact takes image, mask"),
        ({"image": IMAGE, "maks": MASK}, "missing input mask, unknown input maks: the artifact takes image, mask"),
    ],
)
def test_one_of_several_inputs_is_refused(x, expected):
    assert message(check_inputs, x, PAIR) == expected


def test_several_inputs_come_in_the_artifact_s_order():
    checked = check_inputs({"mask": MASK, "image": IMAGE[..., ::-1]}, PAIR)
    assert list(checked) == ["image", "mask"]
    assert all(array.flags.c_contiguous for array in checked.values())
    assert check_inputs((IMAGE, MASK), PAIR)["image"] is IMAGE


def test_a_scalar_input_stays_a_scalar():
    metadata = tiny_metadata(target=0, inputs=[spec("x", "batch"), spec("explain", dtype="bool")])
    checked = check_inputs((np.zeros(2, np.float32), np.array(True)), metadata)
    assert checked["explain"].shape == ()


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (5, "target 5 is out of range: give a class from 0 to 4, or -1 for the predicted one"),
        (-2, "target -2 is out of range: give a class from 0 to 4, or -1 for the predicted one"),
        (np.array([0, 9]), "target 9 is out of range: give a class from 0 to 4, or -1 for the predicted one"),
        (
            np.array([0, 2**63], dtype=np.uint64),
            "target 9223372036854775808 is out of range: give a class from 0 to 4, or -1 for the predicted one",
        ),
        (1.0, "target is 1.0: give an int or an integer array of shape (2,)"),
        (True, "target is True: give an int or an integer array of shape (2,)"),
        ("cat", "target is 'cat': give an int or an integer array of shape (2,)"),
        (np.array([1]), "target has shape (1,): give an int or one class per sample, shape (2,)"),
        (np.array([[1, 2]]), "target has shape (1, 2): give an int or one class per sample, shape (2,)"),
    ],
)
def test_a_target_is_refused(target, expected):
    assert message(check_target, target, TWO, tiny_metadata()) == expected


@pytest.mark.parametrize("compiled", [3, "predicted", "score"])
def test_a_target_is_refused_where_the_artifact_has_its_own(compiled):
    metadata = tiny_metadata(target=compiled)
    assert check_target(None, TWO, metadata) is None
    assert message(check_target, 1, TWO, metadata) == (
        f"the artifact's target was fixed when compiling ({compiled}): leave target out, or compile with target=None"
    )


@pytest.mark.parametrize(
    "shape", [["batch"], ["batch", "classes"], ["batch", 5, 8, 8]], ids=["scalar", "dynamic", "dense"]
)
def test_without_a_class_count_only_negative_targets_are_refused(shape):
    metadata = tiny_metadata(outputs=[spec("logits", *shape)])
    assert check_target(99, TWO, metadata).tolist() == [99, 99]
    assert message(check_target, -2, TWO, metadata) == (
        "target -2 is out of range: give a class from 0 up, or -1 for the predicted one"
    )


AREA = tiny_metadata(
    target_axes=[
        {"name": "class", "size": 4},
        {"name": "height", "size": "height"},
        {"name": "width", "size": "((width - 1)//2) + 1"},
    ],
    inputs=[spec("x", "batch", 3, "16*height", "width"), spec("target", "batch", 3, dtype="int64")],
)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ([3, 1, 3], None),
        ([3, 1, -1], None),
        ([-1, -1, -1], None),
        (
            [3, 2, 0],
            "target (3, 2, 0) is out of range: give as height an index from 0 to 1, or -1 in all for the largest",
        ),
        (
            [0, 0, 4],
            "target (0, 0, 4) is out of range: give as width an index from 0 to 3, or -1 for the largest there",
        ),
    ],
)
def test_dynamic_sizes_bound_targets(target, expected):
    x = np.zeros((2, 3, 32, 7), np.float32)
    sizes = named_sizes({"x": x}, AREA)
    assert sizes == {"batch": 2, "height": 2, "width": 7}
    if expected is None:
        assert check_target(target, sizes, AREA).tolist() == [target, target]
        check_feeds({"x": x, "target": np.array([target, target])}, AREA)
        return
    assert message(check_target, target, sizes, AREA).startswith(expected)
    assert message(check_feeds, {"x": x, "target": np.array([target, target])}, AREA).startswith(expected)


def test_an_index_that_int64_does_not_hold_is_out_of_every_range():
    metadata = tiny_metadata(outputs=[spec("logits", "batch", "classes")])
    found = message(check_target, np.array([0, 2**63 + 5], np.uint64), TWO, metadata)
    assert found.startswith("target 9223372036854775813 is out of range")


def test_there_are_no_more_largest_than_values():
    logits = np.array([[[1, 3], [3, 2]]], np.float32)
    assert largest(logits, 4).tolist() == [[[0, 1], [1, 0], [1, 1], [0, 0]]]
    assert message(largest, logits, 5) == "5 largest are asked for, and the output has 4 values for such a sample"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (5, 5),
        ("height", 30),
        ("16*height", 480),
        ("((height - 1)//2) + 1", 15),
        ("-height + 40", 10),
        ("depth", None),
        ("height // 0", None),
        ("Max(1, height)", None),
        ("height**9", None),
        ("__import__('os')", None),
        ("height +", None),
    ],
)
def test_sizes_that_metadata_write(written, expected):
    assert size_of(written, {"height": 30}) == expected


@pytest.mark.parametrize(
    ("feeds", "expected"),
    [
        ({"target": CLASSES}, "missing input x: the artifact takes x, target"),
        ({"x": X, "target": X, "z": X}, "unknown input z: the artifact takes x, target"),
    ],
)
def test_feeds_name_every_input_and_no_other(feeds, expected):
    assert message(check_feeds, feeds, tiny_metadata()) == expected


def indexed(*axes, shape=("batch",)):
    ids = {**spec("ids", *shape, dtype="int64"), "indexes": list(axes)}
    return tiny_metadata(target="score", inputs=[spec("x", "batch", "length"), ids])


@pytest.mark.parametrize(
    ("axis", "ids", "expected"),
    [
        ({"size": 5, "from_end": False}, [0, 4], None),
        ({"size": 5, "from_end": False}, [0, 5], "ids has 5 at index (1,), out of range: give 0 to 4"),
        ({"size": 5, "from_end": False}, [-1, 0], "ids has -1 at index (0,), out of range: give 0 to 4"),
        ({"size": 5, "from_end": True}, [-5, 4], None),
        (
            {"size": 5, "from_end": True},
            [-6, 4],
            "ids has -6 at index (0,), out of range: give 0 to 4, or -1 to -5 from the end",
        ),
        ({"size": "length", "from_end": False}, [0, 2], None),
        ({"size": "length", "from_end": False}, [0, 3], "ids has 3 at index (1,), out of range: give 0 to 2"),
    ],
)
def test_integers_lie_within_the_axis_that_they_index(axis, ids, expected):
    given = {"x": np.zeros((2, 3), dtype=np.float32), "ids": np.array(ids)}
    if expected is None:
        check_inputs(given, indexed(axis))
    else:
        assert message(check_inputs, given, indexed(axis)) == expected


def test_of_an_input_that_indexes_by_columns_each_has_its_own_range():
    rows, columns = ({"size": size, "from_end": False, "part": [1, at, at + 1]} for at, size in enumerate((5, 9)))
    metadata = indexed(rows, columns, shape=("batch", 2))
    x = np.zeros((1, 3), dtype=np.float32)
    check_inputs({"x": x, "ids": np.array([[4, 8]])}, metadata)
    for ids, place, last in (([[5, 8]], (0, 0), 4), ([[4, 9]], (0, 1), 8)):
        given = {"x": x, "ids": np.array(ids)}
        expected = f"ids has {ids[0][place[1]]} at index {place}, out of range: give 0 to {last}"
        assert message(check_inputs, given, metadata) == expected
