"""A file is a model: its names, shapes, dtypes and labels, what is explained of it, and what is no such file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import external_data_helper

import fgcompile
from fgcompile.compiler.capture.onnx import read
from fgcompile.compiler.capture.onnx.loading import load_model
from fgcompile.compiler.request import Request
from fgcompile.compiler.sources import open_model
from fgcompile.errors import FgcompileError, InputError, SourceError, UnsupportedOpError
from tests.compiler.capture.onnx.files import Array, graph, model, node, onnx_runtime, random
from tests.support.sweeps import crossed

CHANNELS, CLASSES = 3, 4
WEIGHTS: dict[str, Any] = {
    "w": random(5, CHANNELS, 3, 3, seed=1),
    "b": random(5, seed=2),
    "m": random(5, CLASSES, seed=3),
}
NETWORK = [
    node("Conv", "image:0 w b", "c", pads=[1, 1, 1, 1]),
    node("Relu", "c", "r"),
    node("GlobalAveragePool", "r", "g"),
    node("Flatten", "g", "f"),
    node("MatMul", "f m", "z"),
]
IMAGE = {"image:0": ("float32", ["n", CHANNELS, 6, 6])}


def saved(path: Path, *ends: onnx.NodeProto, outputs: list[str], **changes: Any) -> Path:
    """A small network that ends in these nodes."""
    for index, end in enumerate(ends):  # names are unique
        end.name = f"end_{index}"
    described = graph([*changes.get("nodes", NETWORK), *ends], changes.get("inputs", IMAGE), outputs, WEIGHTS)
    proto = model(described)
    for key, value in changes.get("metadata", {}).items():
        proto.metadata_props.add(key=key, value=value)
    onnx.save(proto, path)
    return path


def logits_of(path: Path, images: Array, name: str = "z") -> Array:
    """What ONNX Runtime makes an inner tensor of a file."""
    proto = onnx.load(path)
    del proto.graph.output[:]
    proto.graph.output.append(onnx.ValueInfoProto(name=name))
    onnx.save(proto, path.with_suffix(".inner.onnx"))
    (result,) = onnx_runtime(path.with_suffix(".inner.onnx")).run(None, {"image:0": images})
    return np.asarray(result)


def test_a_file_says_what_it_takes_and_artifacts_keep_its_names(tmp_path: Path) -> None:
    labels = {"names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}"}
    path = saved(tmp_path / "network.onnx", outputs=["z"], metadata=labels)
    artifact = fgcompile.compile(path)
    assert artifact.metadata["model"]["name"] == "network"
    assert [spec["name"] for spec in artifact.metadata["inputs"]] == ["image:0", "target"]
    assert artifact.metadata["inputs"][0]["shape"] == ["batch", CHANNELS, 6, 6]
    assert artifact.metadata["labels"] == ["a", "b", "c", "d"]
    assert [site["name"] for site in artifact.metadata["sites"]] == ["Conv_c"]
    artifact.save(tmp_path / "artifact.onnx")
    session = fgcompile.load(tmp_path / "artifact.onnx")
    for count in (1, 3):
        images = random(count, CHANNELS, 6, 6, seed=count)
        explanation = session.explain({"image:0": images})
        np.testing.assert_allclose(explanation.logits, logits_of(path, images), rtol=1e-5, atol=1e-6)
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, torch.from_numpy(images)).passed


@pytest.mark.parametrize(("behind", "operator"), crossed([[], ["Identity"], ["Flatten"]], ["Softmax", "Sigmoid"]))
def test_probabilities_are_explained_by_their_logits(tmp_path: Path, operator: str, behind: list[str]) -> None:
    ends = [node(operator, "z", "p"), *(node(kind, "p", "q") for kind in behind)]
    path = saved(tmp_path / "network.onnx", *ends, outputs=["q" if behind else "p"])
    artifact = fgcompile.compile(path)
    assert artifact.metadata["model"]["explained"].startswith("z, the logits that " + operator)
    artifact.save(tmp_path / "artifact.onnx")
    images = random(2, CHANNELS, 6, 6)
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
    np.testing.assert_allclose(explanation.logits, logits_of(path, images), rtol=1e-5, atol=1e-6)


def test_any_tensor_is_explained_by_its_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "network.onnx", node("Softmax", "z", "p"), outputs=["p", "f"])
    images = random(2, CHANNELS, 6, 6)
    for name in ("p", "f", "z"):
        fgcompile.compile(path, output=name).save(tmp_path / "artifact.onnx")
        explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
        np.testing.assert_allclose(explanation.logits, logits_of(path, images, name), rtol=1e-5, atol=1e-6)
    assert fgcompile.compile(path, output=1).metadata["model"]["explained"] == "f"
    with pytest.raises(FgcompileError, match="several outputs"):
        fgcompile.compile(path)
    with pytest.raises(SourceError, match="computes no tensor 'y'"):
        fgcompile.compile(path, output="y")


def test_the_score_takes_outputs_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path / "network.onnx", node("Tanh", "f", "t"), outputs=["z", "t"])
    fgcompile.compile(path, target=lambda outputs: outputs["t"].sum(1)).save(tmp_path / "artifact.onnx")
    images = random(2, CHANNELS, 6, 6)
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
    np.testing.assert_allclose(explanation.logits, logits_of(path, images, "z"), rtol=1e-5, atol=1e-6)


def test_inputs_are_fixed_by_numbers(tmp_path: Path) -> None:
    nodes = [*NETWORK[:-1], node("Cast", "rate", "k", to=1), node("Mul", "f k", "s"), node("MatMul", "s m", "z")]
    inputs = {**IMAGE, "rate": ("int64", [])}
    path = saved(tmp_path / "network.onnx", nodes=nodes, inputs=inputs, outputs=["z"])
    images = random(2, CHANNELS, 6, 6)
    artifact = fgcompile.compile(path, {"rate": 3})
    assert artifact.metadata["model"]["fixed"] == {"rate": 3}
    artifact.save(tmp_path / "artifact.onnx")
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
    (expected,) = onnx_runtime(path).run(None, {"image:0": images, "rate": np.array(3)})
    np.testing.assert_allclose(explanation.logits, np.asarray(expected), rtol=1e-5, atol=1e-6)
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, torch.from_numpy(images)).passed
    with pytest.raises(InputError, match="a single number: give its value, --fix rate=VALUE"):
        fgcompile.compile(path)
    with pytest.raises(InputError, match="no input 'pace' to fix"):
        fgcompile.compile(path, {"pace": 3})


def test_open_sizes_are_asked_for(tmp_path: Path) -> None:
    path = saved(tmp_path / "network.onnx", inputs={"image:0": ("float32", ["n", CHANNELS, "h", "w"])}, outputs=["z"])
    with pytest.raises(InputError, match=r"open \(3 x h x w without the batch\): .* --input image:0=3x64x64"):
        fgcompile.compile(path)
    artifact = fgcompile.compile(path, {"image:0": torch.zeros(1, CHANNELS, 8, 9)})
    assert artifact.metadata["inputs"][0]["shape"] == ["batch", CHANNELS, 8, 9]


def test_an_axis_that_may_be_the_batch_is_asked_for(tmp_path: Path) -> None:
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), node("ReduceSum", "t", "z", keepdims=0)]
    onnx.save(model(graph(nodes, {"x": ("float32", [3, "n", 4])}, ["z"])), tmp_path / "network.onnx")
    with pytest.raises(InputError, match=r"the batch is there, --layout x='c n c' \(a sequence has 'l n c'\), or give"):
        fgcompile.compile(tmp_path / "network.onnx")


def test_what_is_no_model_is_said_in_a_line(tmp_path: Path) -> None:
    path = saved(tmp_path / "network.onnx", outputs=["z"])
    content = path.read_bytes()
    fgcompile.compile(path).save(tmp_path / "artifact.onnx")
    damaged = {
        "compiled already": (tmp_path / "artifact.onnx").read_bytes(),
        "cannot be read as an ONNX model": content[: len(content) // 2],
        "has no graph": b"",
        "a zip archive": b"PK\x03\x04" + bytes(30),
    }
    for message, damage in damaged.items():
        (tmp_path / "bad.onnx").write_bytes(damage)
        with pytest.raises(SourceError, match=message):
            fgcompile.compile(tmp_path / "bad.onnx")
    with pytest.raises(SourceError, match="no such file"):
        fgcompile.compile(tmp_path / "none.onnx")


def test_unknown_operators_are_listed_at_once(tmp_path: Path) -> None:
    ends = [
        node("Wonder", "z", "u", domain="mine"),
        node("Marvel", "u", "v", domain="mine"),
        node("Wonder", "v", "y", domain="mine"),
    ]
    path = saved(tmp_path / "network.onnx", *ends, outputs=["y"])
    with pytest.raises(UnsupportedOpError, match=r"mine\.Wonder \(.*, .*\); mine\.Marvel"):
        fgcompile.compile(path)
    # What lies in front of them can be explained all the same.
    assert fgcompile.compile(path, output="z").metadata["model"]["explained"] == "z"


@pytest.mark.parametrize("place", ["weights.bin", "../weights.bin", "/tmp/weights.bin"])
def test_weights_lie_beside_the_file(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    path = saved(tmp_path / "folder" / "network.onnx", outputs=["z"])
    images = random(2, CHANNELS, 6, 6)
    expected = logits_of(path, images)
    proto = onnx.load(path)
    external_data_helper.convert_model_to_external_data(proto, location="weights.bin", size_threshold=0)
    onnx.save(proto, path)
    if place == "weights.bin":
        fgcompile.compile(path).save(tmp_path / "artifact.onnx")
        explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
        np.testing.assert_allclose(explanation.logits, expected, rtol=1e-5, atol=1e-6)
        (tmp_path / "folder" / place).unlink()
        with pytest.raises(SourceError, match="which is missing"):
            fgcompile.compile(path)
        return
    proto = onnx.load(path, load_external_data=False)
    for tensor in proto.graph.initializer:
        next(entry for entry in tensor.external_data if entry.key == "location").value = place
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(SourceError, match="outside its folder"):
        fgcompile.compile(path)


def test_examples_are_the_files_own(tmp_path: Path) -> None:
    nodes = [node("Gather", "table ids", "e"), node("ReduceMean", "e", "z", keepdims=0)]
    described = graph(nodes, {"ids": ("int32", ["n", 7])}, ["e"], {"table": random(11, 4)})
    onnx.save(model(described), tmp_path / "text.onnx")
    opened = open_model(tmp_path / "text.onnx", None, Request())
    assert isinstance(opened.inputs, dict)
    assert opened.inputs["ids"].dtype == torch.int32
    assert opened.inputs["ids"].shape == (2, 7)


def test_a_wrong_reading_names_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fgcompile.compiler.capture.onnx.node import OnnxNode
    from fgcompile.errors import VerificationError

    path = saved(tmp_path / "network.onnx", outputs=["z"])
    computed = OnnxNode.forward

    def wrongly(self: OnnxNode, *values: Any) -> Any:
        results = computed(self, *values)
        return tuple(2 * each for each in results) if self.title.startswith("GlobalAveragePool") else results

    monkeypatch.setattr(OnnxNode, "forward", wrongly)
    with pytest.raises(VerificationError, match="beginning with GlobalAveragePool 'GlobalAveragePool_g'"):
        fgcompile.compile(path)


@pytest.mark.parametrize("on_demand", [False, True], ids=["always", "on demand"])
def test_the_other_outputs_come_along(tmp_path: Path, on_demand: bool) -> None:
    path = saved(
        tmp_path / "network.onnx", node("Softmax", "z", "p"), node("Tanh", "f", "logits"), outputs=["p", "logits"]
    )
    options: dict[str, Any] = {"outputs": ("logits", "saliency", "model"), "on_demand": on_demand}
    fgcompile.compile(path, output="p", **options).save(tmp_path / "artifact.onnx")
    session = fgcompile.load(tmp_path / "artifact.onnx")
    images = random(3, CHANNELS, 6, 6)
    explanation = session.explain(images)
    (expected, other) = onnx_runtime(path).run(None, {"image:0": images})
    np.testing.assert_allclose(explanation.logits, expected, rtol=1e-5, atol=1e-6)
    # The file's own name is the artifact's for something else.
    assert list(explanation.outputs) == ["model_logits"]
    np.testing.assert_allclose(explanation.outputs["model_logits"], other, rtol=1e-5, atol=1e-6)
    assert fgcompile.verify(tmp_path / "artifact.onnx", path, torch.from_numpy(images)).passed
    if on_demand:
        feeds = {"image:0": images, "target": np.zeros(3, np.int64), "explain": np.array(False)}
        assert {name: len(value) for name, value in session.run(feeds).items()} == {
            "logits": 3,
            "saliency": 0,
            "model_logits": 3,
        }


def test_probabilities_come_along_with_their_logits(tmp_path: Path) -> None:
    path = saved(tmp_path / "network.onnx", node("Softmax", "z", "p"), outputs=["p"])
    fgcompile.compile(path, outputs=("logits", "saliency", "model")).save(tmp_path / "artifact.onnx")
    images = random(3, CHANNELS, 6, 6)
    explanation = fgcompile.load(tmp_path / "artifact.onnx").explain(images)
    (expected,) = onnx_runtime(path).run(None, {"image:0": images})
    np.testing.assert_allclose(explanation.outputs["p"], expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(explanation.logits, logits_of(path, images), rtol=1e-5, atol=1e-6)


def large(path: Path) -> Path:
    """A file whose weights are too large to be held twice."""
    weights = {"w": random(3, 2000), "v": random(2000, 4, seed=1)}
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "r"), node("MatMul", "r v", "y")]
    onnx.save(model(graph(nodes, {"x": ("float32", ["n", 3])}, ["y"], weights)), path)
    return path


def test_large_weights_are_read_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    file = large(tmp_path / "store" / "abc")
    link = tmp_path / "model.onnx"
    link.symlink_to(file)
    x = torch.randn(2, 3)
    opened = open_model(link, x, Request())
    expected = onnx_runtime(file).run(None, {"x": x.numpy()})[0]
    torch.testing.assert_close(opened.model(x), torch.from_numpy(expected), rtol=1e-4, atol=1e-4)  # type: ignore[operator]  # an OnnxModel


def test_a_file_that_is_written_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = large(tmp_path / "model.onnx")

    def load_and_write(given: Path) -> Any:
        loaded = load_model(given)
        given.write_bytes(path.read_bytes() + b"\0")
        return loaded

    monkeypatch.setattr(read, "load_model", load_and_write)
    with pytest.raises(SourceError, match="was changed while it was read"):
        read.read_onnx(path)
