"""Inputs by their names: filled, padded, and refused."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from fgcompile.artifact.metadata import Metadata, TensorSpec
from fgcompile.errors import InputError
from fgcompile.text.encoding import Encoded, Piece
from fgcompile.text.inputs import fill, find_inputs, role_of


def spec(name: str, *shape: int | str, **more: Any) -> TensorSpec:
    return cast(TensorSpec, {"name": name, "dtype": "int64", "shape": list(shape), **more})


def text(*ids: int, kind: int = 0) -> Encoded:
    return Encoded(("x" * len(ids),), tuple(Piece("x", each, kind, i, i + 1, 0) for i, each in enumerate(ids)))


def metadata(*specs: TensorSpec, **more: Any) -> Metadata:
    return cast(Metadata, {"inputs": list(specs), "target": "predicted", **more})


def test_roles() -> None:
    assert role_of("input_ids") == ("input_ids", "|")
    assert role_of("query_attention_mask") == ("attention_mask", "query|")
    assert role_of("token_type_ids_b") == ("token_type_ids", "|b")
    assert [role_of(name) for name in ("pixel_values", "decoder_input_ids", "ids", "input_ids2")] == [None] * 4


def test_padded_behind_to_the_artifact_s_length_or_the_longest() -> None:
    names = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
    fixed = {name: spec(name, "batch", 4) for name in names}
    found = fill(fixed, [text(5, 6, kind=1)], (9, 3), None)
    assert {name: value.tolist() for name, value in found.items()} == {
        "input_ids": [[5, 6, 9, 9]],
        "attention_mask": [[1, 1, 0, 0]],
        "token_type_ids": [[1, 1, 3, 3]],
        "position_ids": [[0, 1, 2, 3]],
    }
    free = {name: spec(name, "batch", "length") for name in names[:2]}
    found = fill(free, [text(5), text(6, 7)], (9, 0), None)
    assert (found["input_ids"].tolist(), found["attention_mask"].tolist()) == ([[5, 9], [6, 7]], [[1, 0], [1, 1]])


def test_other_layouts_dtypes_and_least_sizes() -> None:
    behind = {
        "input_ids": spec("input_ids", "length", "batch", smallest=[3, 1]),
        "attention_mask": spec("attention_mask", "length", "batch", dtype="float32"),
    }
    found = fill(behind, [text(5, 6)], (0, 0), None)
    assert found["input_ids"].tolist() == [[5], [6], [0]]
    assert found["attention_mask"].dtype == np.float32
    steps = {name: spec(name, "batch", "4*length") for name in ("input_ids", "attention_mask")}
    assert fill(steps, [text(*range(5))], (0, 0), None)["input_ids"].shape == (1, 8)


FIXED = {name: spec(name, "batch", 3) for name in ("input_ids", "attention_mask")}
LONE = {"input_ids": FIXED["input_ids"]}
FREE = {"input_ids": spec("input_ids", "batch", "length")}


@pytest.mark.parametrize(
    ("specs", "texts", "pad", "longest", "message"),
    [
        (FIXED, [text(1, 2, 3, 4)], (0, 0), None, r"has 4 tokens, the artifact takes 3: .* or with examples padded"),
        (LONE, [text(1, 2, 3, 4)], None, None, "takes 3: shorten it, or compile with dynamic_sizes=True$"),
        (FIXED, [text(1, 2, 3)], (0, 0), 2, "has 3 tokens, its model takes 2"),
        (FIXED, [text(1)], None, None, r"no token to pad with: .*True, or compile with .* enable_padding"),
        (LONE, [text(1)], (0, 0), None, "takes no attention_mask: give texts of 3 tokens, or compile with dyn.*True$"),
        (FREE, [text(1), text(1, 2)], (0, 0), None, "one at a time"),
    ],
)
def test_what_cannot_be_given_is_refused(
    specs: Any, texts: list[Encoded], pad: tuple[int, int] | None, longest: int | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fill(specs, texts, pad, longest)


def test_artifacts_of_other_inputs_are_refused_by_name() -> None:
    for wrong in (
        spec("pixel_values", "batch", 3, 8, 8),
        spec("input_ids", "batch"),
        spec("decoder_input_ids", "batch", 4),
    ):
        with pytest.raises(InputError, match=rf"takes '{wrong['name']}'"):
            find_inputs(metadata(spec("query_input_ids", "batch", 4), wrong))
    with pytest.raises(InputError, match="takes 'attention_mask' and no input_ids"):
        find_inputs(metadata(spec("attention_mask", "batch", 4)))
    two = find_inputs(metadata(spec("input_ids_a", "batch", 4), spec("input_ids_b", "batch", 4)))
    assert [specs["input_ids"]["name"] for specs in two.texts] == ["input_ids_a", "input_ids_b"]
    own = find_inputs(metadata(*FREE.values(), spec("tokens", "batch", 2), score_inputs=["tokens"]))
    assert own.own == ("tokens",)
