"""Metadata are refused in one line where a field is not of its type or its bounds, or contradicts another."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from fgcompile.artifact.metadata import AxisIndex, FitSpec, Metadata, PreprocessSpec, TensorSpec, dumps, loads
from fgcompile.artifact.signature import SIGNATURE, sign
from fgcompile.errors import ArtifactError
from tests.support.tiny_artifacts import tiny_metadata

FIT = {"mode": "crop", "interpolation": "bilinear"}


def refusal(text: str) -> str:
    with pytest.raises(ArtifactError) as caught:
        loads(text, "file.onnx")
    message = str(caught.value)
    assert message.startswith("file.onnx: ")
    assert message.isprintable()
    return message


def changed(*path: Any, to: Any) -> dict[str, Any]:
    metadata = copy.deepcopy(tiny_metadata())
    place: Any = metadata
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = to
    return metadata


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("versions",), [], "versions is no object"),
        (("model", "name"), 3, "model.name is no text"),
        (("model", "name"), "a\x1b[31m", r"control character '\x1b'"),
        (("format",), "coreml", "format is none of onnx, torchscript, pt2"),
        (("inputs", 0, "dtype"), "object", "inputs[0].dtype is none of"),
        (("inputs", 0, "name"), "a\nb", r"control character '\n'"),
        (("inputs", 0, "shape"), "batch", "inputs[0].shape is no list"),
        (("inputs", 0, "shape", 1), -3, "inputs[0].shape[1] is no integer"),
        (("inputs", 0, "shape", 1), True, "inputs[0].shape[1] is neither int nor str"),
        (("inputs", 0, "shape", 1), 2**39, "x has more elements"),
        (("inputs", 0, "shape", 1), "0*height", "x has the size '0*height'"),
        (("inputs", 0, "shape", 1), "²*height", "which is none"),
        (("inputs", 0, "example"), [1, 3], "example sizes of another rank"),
        (("inputs", 0, "indexes"), [{"size": 3, "from_end": False}], "indexes that its dtype"),
        (("inputs", 1, "indexes"), [{"size": "far", "from_end": False}], "which is no input's size"),
        (("inputs", 0, "optional"), True, "x is optional, and of a size that is not known"),
        (("inputs", 1, "name"), "x", "inputs has 'x' twice"),
        (("inputs", 1, "dtype"), "float32", "inputs lack 'target' of int64"),
        (("outputs", 1, "name"), "logits", "outputs has 'logits' twice"),
        (("outputs", 1), {"name": "residual", "dtype": "float32", "shape": ["batch", 2]}, "residual is not one number"),
        (("outputs", 1), {"name": "contributions", "dtype": "float32", "shape": ["batch", 2]}, "each of 0 terms"),
        (("labels",), ["a", "b"], "labels are 2 for 5 classes"),
        (("labels", 2), "a\nb", r"labels[2] has the control character '\n'"),
        (("target",), 7, "target is 7, and there are 5 classes"),
        (("target",), "nobody", "target is neither a class"),
        (("score_inputs",), ["y"], "score_inputs names 'y', which is no input"),
        (("on_demand",), True, "inputs lack 'explain' of bool"),
        (("preprocess",), {"mean": [0.0], "std": [1.0]}, "preprocess does not fit"),
        (("preprocess",), {"mean": [0.0], "std": [0.0]}, "std[0] is no number"),
        (("preprocess",), {"mean": [0.0], "std": [1.0], "order": "grb"}, "preprocess.order is none of rgb, bgr"),
        *[
            (("preprocess",), {"mean": [0.0], "std": [1.0], "fit": {**FIT, **fit}}, message)
            for fit, message in (
                ({"mode": "stretch"}, "fit.mode is none of crop, squash, letterbox"),
                ({"interpolation": 2}, "fit.interpolation is none of nearest"),
                ({"resize": [256]}, "fit.resize is no list of 2"),
                ({"resize": [256, 10**6]}, "fit.resize[1] is no integer from 1 to 16384"),
                ({"fill": [0, 0, 300]}, "fit.fill[2] is no integer from 0 to 255"),
                ({"rounding": "up"}, "fit.rounding is none of even, down"),
            )
        ],
        (("completeness",), 10**400, "completeness is no number"),
        (("sites",), [{}], "sites[0] lacks kind, layout, name, shape, terms"),
        (("lowerings",), [{"operator": "a", "form": "b", "reason": "c", "layers": []}], "layers is no list of 1 to"),
    ],
)
def test_a_field_out_of_its_bounds_is_refused(path: tuple[Any, ...], value: Any, message: str) -> None:
    assert message in refusal(json.dumps(changed(*path, to=value)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"schema": 1, "schema": 1}', "an object has a name twice"),
        ('{"schema": NaN}', "NaN is no number"),
        (f'{{"schema": {"9" * 5000}}}', "not JSON"),
        (f'{{"schema": {10**300}}}', "made by a newer fgcompile"),
        (json.dumps(changed("later", to=json.loads("[" * 100 + "]" * 100))), "deeper than 32"),
    ],
)
def test_a_text_that_would_cost_its_reader_is_refused(text: str, message: str) -> None:
    assert message in refusal(text)


def test_what_a_later_version_adds_is_kept() -> None:
    assert loads(dumps(changed("later", to={"a": [1]})), "file.onnx")["later"] == {"a": [1]}  # type: ignore[typeddict-item]


@pytest.mark.parametrize("key", ["inputs", "outputs"])
def test_names_that_change_places_are_found_by_the_signature(key: str) -> None:
    metadata = tiny_metadata(sites=[])
    metadata[SIGNATURE] = sign(metadata)
    assert loads(dumps(metadata), "file.onnx") == metadata
    metadata[key] = metadata[key][::-1]  # type: ignore[index]
    assert "not those that it was compiled with" in refusal(dumps(metadata))


@pytest.mark.parametrize(
    ("layout", "path"),
    [
        (Metadata, ()),
        (TensorSpec, ("inputs", 0)),
        (AxisIndex, ("inputs", 0, "indexes", 0)),
        (PreprocessSpec, ("preprocess",)),
        (FitSpec, ("preprocess", "fit")),
    ],
    ids=["metadata", "input", "index", "preprocess", "fit"],
)
def test_every_field_of_the_layout_is_checked(layout: Any, path: tuple[Any, ...]) -> None:
    """No field takes a value of any kind: one that the schema does not know would."""
    for field in sorted((layout.__required_keys__ | layout.__optional_keys__) - {SIGNATURE}):
        metadata = copy.deepcopy(tiny_metadata())
        metadata["inputs"][0]["indexes"] = [{"size": 3, "from_end": True}]
        metadata["preprocess"] = {"mean": [0.0], "std": [1.0], "fit": dict(FIT)}
        place: Any = metadata
        for key in path:
            place = place[key]
        place[field] = {"of": ["no", {"kind": None}]}
        assert field in refusal(json.dumps(metadata)), field
