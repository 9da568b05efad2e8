"""Files that are no models, or odd ones: each is refused in one line that says what is wrong, by no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import fgcompile
from fgcompile.errors import CaptureWarning, FgcompileError
from tests.compiler.capture.onnx.files import graph, model, node, random

TABLE = {"x": ("float32", ["n", 4])}
IMAGES = {"x": ("float32", ["n", 3, 8, 8])}
LAYER = node("MatMul", "x w", "z")
WEIGHTS = {"w": random(4, 3)}
BODY = graph([node("Tanh", "x", "t")], {}, ["t"])


def file(*nodes: onnx.NodeProto, inputs: Any = None, outputs: Any = ("y",), opset: int = 21, **constants: Any) -> bytes:
    described = graph(nodes, TABLE if inputs is None else inputs, outputs, WEIGHTS | constants)
    return bytes(model(described, opset).SerializeToString())


GOOD = file(LAYER, node("Tanh", "z", "y"))


def changed(change: Callable[[onnx.ModelProto], Any], content: bytes = GOOD) -> bytes:
    proto = onnx.ModelProto.FromString(content)
    change(proto)
    return bytes(proto.SerializeToString())


def outside(**entries: str) -> bytes:
    """The weights in the file w.bin, at a place."""

    def move(proto: onnx.ModelProto) -> None:
        (tensor,) = proto.graph.initializer
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)

    return changed(move)


def typed(kind: Any, place: str = "input") -> Callable[[onnx.ModelProto], Any]:
    return lambda proto: getattr(proto.graph, place)[0].type.CopyFrom(kind)


def calling_itself(proto: onnx.ModelProto) -> None:
    imports = [helper.make_opsetid("", 21), helper.make_opsetid("own", 1)]
    again = node("Again", "a", "b", "own")
    proto.functions.append(helper.make_function("own", "Again", ["a"], ["b"], [again], imports))
    proto.graph.node[1].CopyFrom(node("Again", "z", "y", "own"))
    proto.opset_import.append(imports[1])


MAP = helper.make_map_type_proto(TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, None))
TEXTS = helper.make_tensor_type_proto(TensorProto.STRING, ["n"])
SEQUENCE = node("SequenceConstruct", "z z", "y")
NAMES = np.array(["a", "b", "c"])

CASES: dict[str, tuple[bytes, str]] = {
    "cut off": (GOOD[: len(GOOD) // 2], "cannot be read as an ONNX model"),
    "weights of no dtype": (changed(lambda p: setattr(p.graph.initializer[0], "data_type", 99)), "99 is not a valid"),
    "weights that are texts": (file(node("MatMul", "x t", "y"), t=NAMES), "MatMul_y': it computes with text"),
    "weights of another shape": (
        file(node("MatMul", "x v", "y"), v=random(5, 3)),
        "MatMul 'MatMul_y' of network does not take what it gets .* or export it again",
    ),
    "an offset below 0": (outside(location="w.bin", offset="-4"), "has weights at offset '-4': it is no ONNX model"),
    "an offset that is none": (outside(location="w.bin", offset="one"), "has weights at offset 'one'"),
    "a length below 0": (outside(location="w.bin", length="-48"), "has weights at length '-48'"),
    "a length of less": (outside(location="w.bin", length="8"), "does not hold the 4 x 3 numbers of 'w'"),
    "a length of more": (outside(location="w.bin", length="80000"), "does not hold the 4 x 3 numbers of 'w'"),
    "weights in no file": (outside(offset="0"), "does not hold the 4 x 3 numbers of 'w'"),
    "weights in a file of no name": (outside(location=""), "in a file that it does not name"),
    "a name that is no text": (GOOD.replace(b"Tanh_y", b"\xff\xfeny_y"), "has names that are no text"),
    "weights nowhere": (outside(), "does not hold the 4 x 3 numbers of 'w'"),
    "two inputs of a name": (changed(lambda p: p.graph.input.append(p.graph.input[0])), "several inputs called 'x'"),
    "an input that is a mapping": (changed(typed(MAP)), "'x', a sequence or of no known type"),
    "an input of texts": (changed(typed(TEXTS)), "'x', of type STRING"),
    "an output of texts": (
        file(LAYER, node("ArgMax", "z", "a", axis=1, keepdims=0), node("Gather", "n a", "y"), n=NAMES),
        "Gather 'Gather_y': it computes with text.* --explained NAME",
    ),
    "an output that is a sequence": (file(LAYER, SEQUENCE), "'y' is a sequence of tensors: explain one of them"),
    "an output of nothing": (file(LAYER, outputs=["q"]), "returns 'q', which nothing in the file computes"),
    "a value twice": (file(LAYER, node("Tanh", "z", "y"), node("Relu", "z", "y")), "'y' is redeclared"),
    "a function of itself": (changed(calling_itself), "has functions that cannot be read .Cyclic"),
    "an attribute of no name": (file(node("Tanh", "x", "y", wide=3)), "has the attribute 'wide', which fgcompile"),
    "an attribute that is missing": (file(node("Concat", "x x", "y")), "'Concat_y' has no attribute 'axis', which it"),
    "an attribute of another type": (file(node("Softmax", "x", "s", axis="one"), node("Tanh", "s", "y")), "Softmax_s"),
    "an input too many": (file(node("Tanh", "x x", "y")), "'Tanh_y' has 2 inputs, and takes 1"),
    "an input too few": (file(node("Add", "x", "y")), "'Add_y' has no input 1, which it needs"),
    "an index beyond": (
        file(node("Gather", "x i", "g", axis=1), node("Tanh", "g", "y"), i=np.array([9])),
        "Gather 'Gather_g': it reads at 9, and there are 4 places",
    ),
    "an axis that is no axis": (file(node("Softmax", "x", "s", axis=9), node("Tanh", "s", "y")), "Softmax 'Softmax_s'"),
    "an axis that is wide": (file(node("Squeeze", "x a", "y"), a=np.array([1])), "takes axis 1 away, .* the size 4"),
    "a stride of 0": (
        file(node("Conv", "x k", "y", strides=[0, 0]), inputs=IMAGES, k=random(4, 3, 3, 3)),
        "Conv 'Conv_y'",
    ),
    "a range of no step": (
        file(node("Range", "a b c", "r"), node("Mul", "x r", "y"), a=np.float32(0), b=np.float32(4), c=np.float32(0)),
        "Range 'Range_r' of the file cannot be computed",
    ),
    "a branch by values": (
        file(
            *[node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m k", "c")],
            node("If", "c", "y", then_branch=BODY, else_branch=BODY),
            k=np.float32(0),
        ),
        "If 'If_y' takes its condition from values .* --explained NAME",
    ),
    "a branch by two truths": (
        file(node("If", "c", "y", then_branch=BODY, else_branch=BODY), c=np.array([True, False])),
        "If 'If_y' has a condition of 2 values",
    ),
    "a loop of nothing": (file(node("Loop", "n c x", "y"), n=np.array(3), c=np.array(True)), "'Loop_y' has no body"),
    "a graph of nothing": (file(outputs=["x"]), "has no graph"),
    "an opset before all": (file(LAYER, node("Tanh", "z", "y"), opset=1), "is of opset 1, fgcompile reads 7 and later"),
    "a logarithm below 0": (file(LAYER, node("Log", "z", "y")), "returns NaN or infinite numbers on the example: give"),
    "a root at 0": (
        file(LAYER, node("Relu", "z", "r"), node("Sqrt", "r", "y")),
        "such as the slope of a square root at 0",
    ),
    "weights that are NaN": (file(node("MatMul", "x v", "y"), v=np.full((4, 3), np.nan, np.float32)), "returns NaN or"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("ignore::fgcompile.errors.CaptureWarning")
def test_what_is_wrong_is_said_in_a_line(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    content, message = CASES[case]
    (tmp_path / "network.onnx").write_bytes(content)
    (tmp_path / "w.bin").write_bytes(WEIGHTS["w"].tobytes())
    with pytest.raises(FgcompileError, match=message) as refusal:
        fgcompile.compile(tmp_path / "network.onnx")
    assert "\n" not in str(refusal.value)
    assert "please report" not in str(refusal.value)
    assert capfd.readouterr().err == ""


def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "network.onnx"
    for length in range(1, len(GOOD), 17):
        path.write_bytes(GOOD[:length])
        with pytest.raises(FgcompileError) as refusal:
            fgcompile.compile(path)
        assert str(path) in str(refusal.value)


def test_flipped_bytes_are_refused_or_compile(tmp_path: Path) -> None:
    """Whatever is raised is ours; what is left may be a model still, of other numbers or names."""
    path, generator = tmp_path / "network.onnx", np.random.default_rng(0)
    refused = 0
    for _ in range(40):
        content = bytearray(GOOD)
        for place in generator.integers(len(content), size=2):
            content[place] = generator.integers(256)
        path.write_bytes(content)
        try:
            fgcompile.full_gradient(path, np.ones((1, 4), np.float32), target=0)
        except FgcompileError:
            refused += 1
    assert refused > 10


@pytest.mark.parametrize("place", ["w.bin"])
def test_weights_beside_the_file_are_read_where_it_says(place: str, tmp_path: Path) -> None:
    (tmp_path / place).write_bytes(b"\0" * 16 + WEIGHTS["w"].tobytes())
    (tmp_path / "network.onnx").write_bytes(outside(location=place, offset="16", length="48"))
    x = random(2, 4)
    found = fgcompile.full_gradient(tmp_path / "network.onnx", x, target=0).output
    np.testing.assert_allclose(found, np.tanh(x @ WEIGHTS["w"]), atol=1e-6)


def saturated(path: Path, factor: float, operator: str = "Tanh") -> Path:
    nodes = [LAYER, node("Mul", "z k", "q"), node(operator, "q", "t"), node("MatMul", "t v", "y")]
    path.write_bytes(file(*nodes, k=np.float32(factor), v=random(3, 2, seed=5)))
    return path


@pytest.mark.parametrize(("operator", "factor"), [("Tanh", 10.0), ("Sigmoid", 30.0)])
def test_a_model_that_saturates_is_no_defect(operator: str, factor: float, tmp_path: Path) -> None:
    path = saturated(tmp_path / "network.onnx", factor, operator)
    with pytest.raises(FgcompileError, match=r"saturates on the example: its gradient vanishes.* example_inputs"):
        fgcompile.compile(path)
    artifact = fgcompile.compile(path, random(3, 4) / 100)  # as real inputs are scaled
    artifact.save(tmp_path / "artifact.onnx")
    x = random(3, 4) / 50
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, x).passed


def test_numbers_of_64_bits_are_compared_with_the_file(tmp_path: Path) -> None:
    weights = numpy_helper.from_array(WEIGHTS["w"].astype(np.float64), "w")
    described = graph([LAYER, node("Tanh", "z", "y")], {"x": ("float64", ["n", 4])}, ["y"])
    described.initializer.append(weights)
    onnx.save(model(described), tmp_path / "network.onnx")
    with pytest.warns(CaptureWarning, match=r"takes 'x' \(float64\): the artifact computes in float32") as said:
        artifact = fgcompile.compile(tmp_path / "network.onnx")
    assert artifact.metadata["inputs"][0]["dtype"] == "float32"
    assert not [each for each in said if "not compared" in str(each.message)]
