"""What the validator of requests passes on, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fgcompile.errors import InputError
from fgcompile.serving import Limits, admit, check_body
from tests.support.tiny_artifacts import tiny_metadata

X = np.zeros((2, 3, 4, 4), dtype=np.float32)
LIMITS = Limits(batch=4, body=1000)
METADATA = tiny_metadata()
FIXED = tiny_metadata(target=1, inputs=METADATA["inputs"][:1])
EXPLAIN = {"name": "explain", "dtype": "bool", "shape": []}
BIAS = {"name": "bias_fc", "dtype": "float32", "shape": [5], "optional": True}
ON_DEMAND = tiny_metadata(on_demand=True, inputs=[*METADATA["inputs"], EXPLAIN])
BIASES = tiny_metadata(inputs=[*METADATA["inputs"], BIAS])


def test_what_is_left_out_is_filled_in() -> None:
    feeds = admit({"x": X}, ON_DEMAND, LIMITS)
    assert list(feeds) == ["x", "explain"]  # without a target the session asks for the largest
    assert feeds["explain"].shape == ()
    assert feeds["explain"]
    assert list(admit({"x": X}, FIXED, LIMITS)) == ["x"]


@pytest.mark.parametrize("target", [[3, -1], [[3], [-1]]])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.int8])
def test_targets_of_any_integer_type_with_or_without_a_second_axis(target: list, dtype: type) -> None:
    feeds = admit({"x": X, "target": np.array(target, dtype)}, METADATA, LIMITS)
    np.testing.assert_array_equal(feeds["target"], [3, -1])
    assert feeds["target"].dtype == np.int64


def test_an_explanation_can_be_declined() -> None:
    assert not admit({"x": X, "explain": np.array([False])}, ON_DEMAND, LIMITS)["explain"]


def test_biases_are_passed_on() -> None:
    bias = np.arange(5, dtype=np.float32)
    assert admit({"x": X, "bias_fc": bias}, BIASES, LIMITS)["bias_fc"] is not None
    assert "bias_fc" not in admit({"x": X}, BIASES, LIMITS)


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({}, METADATA, "missing input x"),
        ({"x": X, "y": X}, METADATA, "unknown input y"),
        ({"x": X, "target": np.zeros(2, np.int64)}, FIXED, "target was fixed when compiling (1): leave target out"),
        ({"x": X, "explain": np.array(True)}, METADATA, "unknown input explain"),
        ({"x": np.zeros((5, 3, 4, 4), np.float32)}, METADATA, "a batch of 5, 4 are allowed"),
        ({"x": np.full_like(X, np.nan)}, METADATA, "NaN or infinite"),
        ({"x": np.full_like(X, np.inf)}, METADATA, "NaN or infinite"),
        ({"x": X.astype(np.float64)}, METADATA, "x is float64"),
        ({"x": X[0]}, METADATA, "add the batch axis"),
        ({"x": X[:, :2]}, METADATA, "axis 1 must be 3, not 2"),
        ({"x": np.float32(1)}, METADATA, "not a NumPy array"),
        ({"x": np.array(1, np.float32)}, METADATA, "give an array of rank 4"),
        ({"x": X, "target": np.zeros(3, np.int64)}, METADATA, "target has shape (3,)"),
        ({"x": X, "target": np.zeros((2, 2), np.int64)}, METADATA, "target has shape (2, 2)"),
        ({"x": X, "target": np.array([0, 5])}, METADATA, "target 5 is out of range"),
        ({"x": X, "target": np.array([0, -2])}, METADATA, "target -2 is out of range"),
        ({"x": X, "target": np.array([0.0, 1.0])}, METADATA, "target is float64"),
        ({"x": X, "explain": np.array([1])}, ON_DEMAND, "explain has to be one boolean"),
        ({"x": X, "explain": np.array([True, False])}, ON_DEMAND, "explain has to be one boolean"),
        ({"x": X, "bias_fc": np.full(5, np.nan, np.float32)}, BIASES, "NaN or infinite"),
    ],
)
def test_refusals_say_what_is_wrong(tensors: dict, metadata: dict, message: str) -> None:
    with pytest.raises(InputError) as caught:
        admit(tensors, metadata, LIMITS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_body_has_a_limit() -> None:
    check_body(1000, LIMITS)
    with pytest.raises(InputError, match="1001 bytes, 1000 are allowed"):
        check_body(1001, LIMITS)


@pytest.mark.parametrize("limits", [{"batch": 0}, {"body": -1}])
def test_limits_are_positive(limits: dict) -> None:
    with pytest.raises(InputError, match="give 1 or more"):
        Limits(**limits)
