"""Convolutions, poolings, resizing and padding in forms of which ONNX's own cases have few, against ONNX Runtime."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from fgcompile.compiler.capture.onnx.read import read_onnx
from fgcompile.errors import UnsupportedOpError
from tests.compiler.capture.onnx.files import assert_same, graph, model, node, random

CHANNELS, SIZES = 2, [9, 6]

POOLED: dict[str, dict[str, Any]] = {
    "plain": {"kernel_shape": [3, 2], "strides": [2, 2]},
    "alike": {"kernel_shape": [3, 2], "pads": [1, 1, 1, 1]},
    "uneven": {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [0, 1, 2, 0]},
    "ceil": {"kernel_shape": [2, 3], "strides": [2, 2], "ceil_mode": 1},
    "ceil_uneven": {"kernel_shape": [2, 3], "strides": [3, 2], "pads": [0, 1, 1, 2], "ceil_mode": 1},
    "gaps": {"kernel_shape": [2, 2], "dilations": [2, 3], "pads": [1, 1, 0, 1]},
    "same": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_LOWER"},
    "valid": {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "VALID"},
}
POOLINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "largest": ("MaxPool", {}),
    "mean": ("AveragePool", {}),
    "mean_of_all": ("AveragePool", {"count_include_pad": 1}),
    "norm": ("LpPool", {"p": 3}),
}
TRANSPOSED: dict[str, dict[str, Any]] = {
    "plain": {},
    "pads": {"strides": [2, 3], "pads": [1, 0, 2, 1]},
    "output_padding": {"strides": [3, 2], "output_padding": [2, 1], "pads": [1, 1, 1, 1]},
    "smaller": {"strides": [2, 2], "output_shape": [17, 12]},
    "larger": {"strides": [4, 4], "output_shape": [36, 24]},
    "same": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "same_without_overlap": {"strides": [4, 4], "auto_pad": "SAME_LOWER"},
    "groups": {"group": 2, "dilations": [2, 1]},
}
COORDINATES = ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
SCALES = {"whole": [2, 3], "parts": [1.3, 0.6], "sizes": [5, 11], "one": [1, 4]}
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")


def _check(folder: Path, operator: onnx.NodeProto, constants: dict[str, Any], opset: int = 22) -> None:
    x = random(2, CHANNELS, *SIZES)
    proto = model(
        graph([operator], {"x": ("float32", ["n", CHANNELS, *SIZES])}, list(operator.output), constants), opset
    )
    assert_same(proto, {"x": x}, folder)


@pytest.mark.parametrize(("pooling", "windows"), list(product(POOLINGS, POOLED)))
def test_pooling(pooling: str, windows: str, tmp_path: Path) -> None:
    operator, attributes = POOLINGS[pooling]
    _check(tmp_path, node(operator, "x", "y", **attributes, **POOLED[windows]), {})


@pytest.mark.parametrize("order", [1, 2, 3])
def test_norms_of_channels(order: int, tmp_path: Path) -> None:
    _check(tmp_path, node("GlobalLpPool", "x", "y", p=order), {}, opset=21)


@pytest.mark.parametrize("windows", [name for name in POOLED if "auto_pad" not in POOLED[name]])
@pytest.mark.parametrize("order", [0, 1])
def test_places_of_the_largest(windows: str, order: int, tmp_path: Path) -> None:
    _check(tmp_path, node("MaxPool", "x", "y i", storage_order=order, **POOLED[windows]), {})


@pytest.mark.parametrize("name", TRANSPOSED)
def test_transposed_convolution(name: str, tmp_path: Path) -> None:
    group = TRANSPOSED[name].get("group", 1)
    weights = {"w": random(CHANNELS, 4 // group, 3, 2, seed=1), "b": random(4, seed=2)}
    _check(tmp_path, node("ConvTranspose", "x w b", "y", **TRANSPOSED[name]), weights)


@pytest.mark.parametrize(("mode", "coordinates", "scale"), list(product(("linear", "cubic"), COORDINATES, SCALES)))
def test_resizing(mode: str, coordinates: str, scale: str, tmp_path: Path) -> None:
    attributes = {"mode": mode, "coordinate_transformation_mode": coordinates}
    _check(tmp_path, *_resized(scale, **attributes), opset=19)


@pytest.mark.parametrize(("rounding", "coordinates", "scale"), list(product(ROUNDINGS, COORDINATES, SCALES)))
def test_resizing_to_the_nearest(rounding: str, coordinates: str, scale: str, tmp_path: Path) -> None:
    attributes = {"nearest_mode": rounding, "coordinate_transformation_mode": coordinates}
    _check(tmp_path, *_resized(scale, **attributes), opset=19)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("scales", [[1.1, 2.0], [1.1, 1.1]], ids=["one", "both"])
def test_resizing_to_the_same_size(mode: str, scales: list[float], tmp_path: Path) -> None:
    """Nine elements are nine afterwards, and others, unless nothing changes its size."""
    operator = node("Resize", "x _ s", "y", mode=mode)
    _check(tmp_path, operator, {"s": np.array([1, 1, *scales], np.float32)}, opset=19)


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_resizing_with_one_scale(mode: str, policy: str, tmp_path: Path) -> None:
    operator = node("Resize", "x _ _ s", "y", mode=mode, axes=[2, 3], keep_aspect_ratio_policy=policy)
    _check(tmp_path, operator, {"s": np.array([7, 5])}, opset=19)


def _resized(scale: str, **attributes: Any) -> tuple[onnx.NodeProto, dict[str, Any]]:
    if scale in ("sizes", "one"):
        return node("Resize", "x _ _ s", "y", **attributes), {"s": np.array([2, CHANNELS, *SCALES[scale]])}
    return node("Resize", "x _ s", "y", **attributes), {"s": np.array([1, 1, *SCALES[scale]], np.float32)}


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge", "wrap"])
@pytest.mark.parametrize("pads", [[0, 0, 1, 2, 0, 0, 3, 0], [0, 1, 0, -2, 0, 0, -1, 2]], ids=["added", "cut"])
def test_padding(mode: str, pads: list[int], tmp_path: Path) -> None:
    _check(tmp_path, node("Pad", "x p", "y", mode=mode), {"p": np.array(pads)}, opset=19)


def test_a_form_that_no_row_has_is_refused(tmp_path: Path) -> None:
    operator = node("Resize", "x _ s", "y", coordinate_transformation_mode="new")
    of = graph([operator], {"x": ("float32", [1, 1, 5, 5])}, ["y"], {"s": np.float32([1, 1, 2, 2])})
    onnx.save(model(of), tmp_path / "model.onnx")
    with pytest.raises(UnsupportedOpError, match=r"Resize 'Resize_y' is of a form that fgcompile does not read"):
        read_onnx(tmp_path / "model.onnx")(torch.ones(1, 1, 5, 5))


def test_windows_with_gaps_that_pad_themselves_are_refused(tmp_path: Path) -> None:
    operator = node("MaxPool", "x", "y", kernel_shape=[2, 2], dilations=[2, 2], auto_pad="SAME_UPPER")
    onnx.save(model(graph([operator], {"x": ("float32", [1, 1, 5, 5])}, ["y"])), tmp_path / "model.onnx")
    module = read_onnx(tmp_path / "model.onnx")
    with pytest.raises(UnsupportedOpError, match=r"MaxPool 'MaxPool_y': it has dilations and auto_pad=SAME_UPPER"):
        module(torch.ones(1, 1, 5, 5))


_CROP: dict[str, Any] = {"coordinate_transformation_mode": "tf_crop_and_resize", "mode": "linear"}
_ALIKE: dict[str, Any] = {"mode": "linear", "antialias": 1, "keep_aspect_ratio_policy": "not_larger"}
_ODD: dict[str, Any] = {
    "a pooling that leaves values out": (
        node("LpPool", "x", "y", kernel_shape=[1], strides=[4], auto_pad="SAME_UPPER"),
        {},
        "LpPool 'LpPool_y': it has strides that leave values out",
    ),
    "a crop that keeps a size": (
        node("Resize", "x roi _ sizes", "y", **_CROP),
        {"roi": np.float32([0, 0, 0.2, 1, 1, 1]), "sizes": np.array([1, 2, 7])},
        "it crops and keeps a size, of which ONNX Runtime takes all",
    ),
    "places half-way": (
        node(
            *("Resize", "x _ _ sizes", "y"),
            coordinate_transformation_mode="asymmetric",
            nearest_mode="round_prefer_ceil",
        ),
        {"sizes": np.array([1, 2, 4])},
        "which ONNX Runtime rounds either way: write nearest_mode",
    ),
    "sizes that are rounded": (
        node(
            "Resize", "x _ _ sizes", "y", mode="linear", antialias=1, axes=[1, 2], keep_aspect_ratio_policy="not_larger"
        ),
        {"sizes": np.array([2, 6])},
        "to sizes that are rounded, which runtimes read differently",
    ),
}


@pytest.mark.parametrize("case", _ODD)
def test_what_runtimes_read_differently_is_refused(case: str, tmp_path: Path) -> None:
    nodes, constants, message = _ODD[case]
    path = tmp_path / "network.onnx"
    onnx.save(model(graph([nodes], {"x": ("float32", [1, 2, 7])}, ["y"], constants), 22), path)
    with pytest.raises(UnsupportedOpError, match=message):
        read_onnx(path)(torch.ones(1, 2, 7))


@pytest.mark.parametrize(("kernel", "stride"), [(1, 2), (2, 3), (3, 4)])
def test_a_window_that_is_a_little_less_than_its_stride_is_read(kernel: int, stride: int, tmp_path: Path) -> None:
    for operator in ("LpPool", "AveragePool"):
        nodes = [node(operator, "x", "y", kernel_shape=[kernel], strides=[stride], auto_pad="SAME_UPPER")]
        x = random(1, 2, 7)
        assert_same(model(graph(nodes, {"x": ("float32", [1, 2, 7])}, ["y"]), 22), {"x": x}, tmp_path)
