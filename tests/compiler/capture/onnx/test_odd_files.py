"""Files that are odd and valid: names, inputs that nothing reads, outputs that are inputs, states, half precision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import fgcompile
from fgcompile.errors import CaptureError, FgcompileError, InputError, ScoreError, SourceError
from tests.compiler.capture.onnx.files import Array, graph, model, node, onnx_runtime, random
from tests.support.sweeps import few

FEATURES, CLASSES = 4, 3
WEIGHTS: dict[str, Any] = {"w": random(FEATURES, CLASSES, seed=1)}
TABLE = {"x": ("float32", ["n", FEATURES])}
ZERO: dict[str, Any] = {"zero": np.float32(0)}
LAYER = [node("MatMul", "x w", "m"), node("Tanh", "m", "z")]


def saved(folder: Path, nodes: Any, inputs: Any, outputs: list[str], constants: Any = None) -> Path:
    path = folder / "network.onnx"
    onnx.save(model(graph(nodes, inputs, outputs, WEIGHTS | (constants or {}))), path)
    return path


def explained(path: Path, feeds: dict[str, Array], **options: Any) -> Any:
    """What an artifact of a file says of inputs."""
    fgcompile.compile(path, **options).save(path.with_name("artifact.onnx"))
    return fgcompile.load(path.with_name("artifact.onnx")).explain(feeds)


def assert_differences(path: Path, feeds: dict[str, Array], gradients: dict[str, Array], target: int) -> None:
    """Holds gradients to finite differences of ONNX Runtime on the file."""
    session, step = onnx_runtime(path), 1e-2
    for seed, (name, gradient) in enumerate(gradients.items()):
        direction = random(*feeds[name].shape, seed=seed)
        ends = [session.run(None, feeds | {name: feeds[name] + sign * direction})[0] for sign in (step, -step)]
        slopes = (ends[0] - ends[1])[:, target] / (2 * step)
        np.testing.assert_allclose((gradient * direction).sum(1), slopes, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    "names",
    few(
        map(
            pytest.param,
            [("a.b", "a_b", "a:b"), ("class", "self", "1"), ("bias_0", "weight", "é"), ("torch", "None", "inf")],
        ),
        2,
    ),
    ids=["alike", "python", "ours", "torch"],
)
def test_inputs_of_any_name_have_their_own_gradients(tmp_path: Path, names: tuple[str, str, str]) -> None:
    """The first two are summed, so that their gradients are one tensor, which both outputs are."""
    one, other, third = names
    nodes = [node("Add", f"{one} {other}", "s"), node("Mul", f"s {third}", "x"), *LAYER]
    path = saved(tmp_path, nodes, dict.fromkeys(names, TABLE["x"]), ["z"])
    feeds = {name: random(5, FEATURES, seed=seed) / 2 for seed, name in enumerate(names)}
    explanation = explained(path, feeds, target=1, outputs=("logits", "saliency", "input_gradient"))
    np.testing.assert_allclose(explanation.logits, onnx_runtime(path).run(None, feeds)[0], rtol=1e-5, atol=1e-6)
    assert_differences(path, feeds, dict(zip(names, explanation.input_gradient, strict=True)), target=1)


def test_inputs_that_nothing_reads_are_none_of_the_artifacts(tmp_path: Path) -> None:
    unread = {"open": ("float32", ["n", "size"]), "wide": ("float32", [None, 2])}
    path = saved(tmp_path, LAYER, TABLE | unread, ["z"])
    artifact = fgcompile.compile(path)
    assert [spec["name"] for spec in artifact.metadata["inputs"]] == ["x", "target"]


def test_what_depends_on_no_input_is_said(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Identity", "w", "v"), *LAYER], TABLE, ["v"])
    with pytest.raises(SourceError, match="computes 'v' of none of its inputs"):
        fgcompile.compile(path)


@pytest.mark.parametrize("on_demand", [False, True])
def test_an_output_may_be_an_input(tmp_path: Path, on_demand: bool) -> None:
    path = saved(tmp_path, LAYER, TABLE, ["z"])
    proto = onnx.load(path)
    proto.graph.output.append(proto.graph.input[0])
    onnx.save(proto, path)
    x, outputs = random(3, FEATURES), ("logits", "saliency", "model")
    explanation = explained(path, {"x": x}, output="z", outputs=outputs, on_demand=on_demand)
    np.testing.assert_array_equal(explanation.outputs["model_x"], x)


def test_one_of_the_outputs_may_be_a_constant(tmp_path: Path) -> None:
    path = saved(tmp_path, LAYER, TABLE, ["w", "z"])
    with pytest.raises(ScoreError, match=r"name the one explained, output= one of \['w', 'z'\]"):
        fgcompile.compile(path)


@pytest.mark.parametrize(
    "behind", [node("ReduceSum", "z", "all", keepdims=0), node("Identity", "w", "all")], ids=["a sum", "a constant"]
)
def test_what_is_no_samples_own_does_not_come_along(tmp_path: Path, behind: onnx.NodeProto) -> None:
    path = saved(tmp_path, [*LAYER, behind], TABLE, ["z", "all"])
    with pytest.raises(ScoreError, match=r"the output 'all' has shape .* no sample has its own"):
        fgcompile.compile(path, output="z", outputs=("logits", "saliency", "model"))


def test_truths_come_along(tmp_path: Path) -> None:
    path, x = saved(tmp_path, [*LAYER, node("Greater", "z zero", "large")], TABLE, ["z", "large"], ZERO), random(3, 4)
    explanation = explained(path, {"x": x}, output="z", outputs=("logits", "saliency", "model"))
    np.testing.assert_array_equal(explanation.outputs["large"], explanation.logits > 0)


@pytest.mark.parametrize("axis", [0, -2])
def test_a_softmax_over_samples_has_no_logits(tmp_path: Path, axis: int) -> None:
    path = saved(tmp_path, [LAYER[0], node("Softmax", "m", "z", axis=axis)], TABLE, ["z"])
    proto = onnx.load(path)
    proto.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, ["n", CLASSES]))
    onnx.save(proto, path)
    with pytest.raises(CaptureError, match="'Softmax_z' makes of a sample depends on the other samples"):
        fgcompile.compile(path)


def test_a_tensor_that_nothing_computes_is_named(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Add", "x gone", "y"), node("Tanh", "y", "z")], TABLE, ["z"])
    with pytest.raises(SourceError, match="Add 'Add_y' reads 'gone', which nothing"):
        fgcompile.compile(path)


def test_a_sequence_is_no_input(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("SequenceAt", "s zero", "x"), *LAYER], {}, ["z"], {"zero": np.array(0)})
    proto = onnx.load(path)
    proto.graph.input.append(onnx.helper.make_tensor_sequence_value_info("s", onnx.TensorProto.FLOAT, ["n", FEATURES]))
    onnx.save(proto, path)
    with pytest.raises(SourceError, match="input 's', a sequence"):
        fgcompile.compile(path)


def test_half_precision_is_held_to_its_own_rounding(tmp_path: Path) -> None:
    to_half = [node("Cast", "x", "h", to=onnx.TensorProto.FLOAT16), node("MatMul", "h v", "m"), node("Tanh", "m", "t")]
    path = saved(
        tmp_path,
        [*to_half, node("Cast", "t", "z", to=onnx.TensorProto.FLOAT)],
        TABLE,
        ["z"],
        {"v": WEIGHTS["w"].astype(np.float16)},
    )
    x = random(3, FEATURES)
    explanation = explained(path, {"x": x})
    np.testing.assert_allclose(explanation.logits, np.tanh(x @ WEIGHTS["w"]), atol=5e-3)


def test_nodes_may_be_in_any_order(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """ONNX Runtime sorts them too, and is compared."""
    path = saved(tmp_path, LAYER[::-1], TABLE, ["z"])
    x = random(3, FEATURES)
    np.testing.assert_allclose(explained(path, {"x": x}).logits, np.tanh(x @ WEIGHTS["w"]), rtol=1e-5, atol=1e-6)
    assert not [one for one in recwarn if "not compared" in str(one.message)]


def test_nodes_that_wait_for_each_other_are_said(tmp_path: Path) -> None:
    path = saved(tmp_path, [node("Add", "x q", "p"), node("Tanh", "p", "q"), node("Relu", "q", "z")], TABLE, ["z"])
    with pytest.raises(SourceError, match="wait for each other"):
        fgcompile.compile(path)


@pytest.mark.parametrize("size", [1 << 40, -FEATURES])
def test_weights_of_another_size_than_they_say_are_refused(tmp_path: Path, size: int) -> None:
    path = saved(tmp_path, LAYER, TABLE, ["z"])
    proto = onnx.load(path)
    proto.graph.initializer[0].dims[0] = size
    onnx.save(proto, path)
    with pytest.raises(SourceError, match=f"does not hold the {size} x {CLASSES} numbers of 'w'"):
        fgcompile.compile(path)


def test_weights_without_numbers_are_no_zeros(tmp_path: Path) -> None:
    path = saved(tmp_path, LAYER, TABLE, ["z"])
    proto = onnx.load(path)
    proto.graph.initializer[0].ClearField("raw_data")
    onnx.save(proto, path)
    with pytest.raises(SourceError, match="does not hold the 4 x 3 numbers of 'w'"):
        fgcompile.compile(path)


def test_weights_beside_the_file_that_were_cut_off_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, LAYER, TABLE, ["z"])
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    weights = tmp_path / "weights"
    weights.write_bytes(weights.read_bytes()[:-4])
    with pytest.raises(SourceError, match="does not hold the 4 x 3 numbers of 'w'"):
        fgcompile.compile(path)


@pytest.mark.parametrize(
    ("content", "what"), [(b"version https://git-lfs.github.com/spec/v1", "Git LFS"), (b"<html></html>", "web")]
)
def test_what_was_downloaded_instead_is_said(tmp_path: Path, content: bytes, what: str) -> None:
    (tmp_path / "network.onnx").write_bytes(content)
    with pytest.raises(SourceError, match=what):
        fgcompile.compile(tmp_path / "network.onnx")


def test_an_input_of_any_size_needs_no_memory(tmp_path: Path) -> None:
    nodes = [node("ReduceMean", "x last", "m"), node("Flatten", "m", "z")]
    path = saved(tmp_path, nodes, {"x": ("float32", ["n", 3, 1 << 40])}, ["z"], {"last": np.array([2])})
    with pytest.raises(InputError, match="too many for an example"):
        fgcompile.compile(path)


RECURRENT = [
    node("Transpose", "x", "t", perm=[1, 0, 2]),
    node("LSTM", "t lw lr _ _ h c", "y hn cn", hidden_size=FEATURES),
    node("Squeeze", "hn first", "last"),
    node("MatMul", "last w", "z"),
]
STATES: dict[str, Any] = {
    "lw": random(1, 4 * FEATURES, 2, seed=1),
    "lr": random(1, 4 * FEATURES, FEATURES, seed=2),
    "first": np.array([0]),
}


@pytest.mark.parametrize("batch", few([1, "n"], 1))
def test_states_have_their_batch_in_the_middle(tmp_path: Path, batch: int | str) -> None:
    """Of one sample or any; all of them are outputs too, compared along the axis of the samples."""
    state = ("float32", [1, batch, FEATURES])
    inputs = {"x": ("float32", [batch, 3, 2]), "h": state, "c": state}
    path = saved(tmp_path, RECURRENT, inputs, ["z", "hn", "cn"], STATES)
    feeds = {"x": random(2, 3, 2), "h": random(1, 2, FEATURES, seed=3), "c": random(1, 2, FEATURES, seed=4)}
    layouts = {"h": "c n c", "c": "c n c"}
    outputs = ("logits", "saliency", "model")
    explanation = explained(path, feeds, output="z", outputs=outputs, layouts=layouts)
    steps = 1 if batch == 1 else 2
    for start in range(0, 2, steps):
        places = slice(start, start + steps)
        part = {"x": feeds["x"][places], "h": feeds["h"][:, places], "c": feeds["c"][:, places]}
        z, hidden, _ = onnx_runtime(path).run(None, part)
        np.testing.assert_allclose(explanation.logits[places], z, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(explanation.outputs["hn"][:, places], hidden, rtol=1e-5, atol=1e-6)


def test_a_state_of_another_shape_is_refused(tmp_path: Path) -> None:
    """PyTorch's own LSTM reads and writes behind it."""
    state = ("float32", [1, 1, FEATURES])
    path = saved(tmp_path, RECURRENT, {"x": ("float32", [1, 3, 2]), "h": state, "c": state}, ["z"], STATES)
    with pytest.raises(FgcompileError, match="LSTM"):
        fgcompile.compile(path)


def reshaped(folder: Path, sizes: list[int], batch: int | str, *behind: Any) -> Path:
    nodes = [LAYER[0], node("Reshape", "m sizes", "r"), *behind]
    constants = {"sizes": np.array(sizes), "first": np.array([0])}
    return saved(folder, nodes, {"x": ("float32", [batch, FEATURES])}, ["z"], constants)


def test_a_batch_of_one_within_a_file_of_any_batch_follows(tmp_path: Path) -> None:
    path = reshaped(tmp_path, [1, CLASSES], "n", node("Tanh", "r", "z"))
    x = random(4, FEATURES)
    np.testing.assert_allclose(explained(path, {"x": x}).logits, np.tanh(x @ WEIGHTS["w"]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", [1, "n"])
def test_samples_do_not_become_classes(tmp_path: Path, batch: int | str) -> None:
    """(1, k) as (1, n k) has one sample after the other too, but in one row."""
    behind = [node("Squeeze", "r first", "s"), node("Unsqueeze", "s first", "z")]
    with pytest.raises(CaptureError, match="Squeeze 'Squeeze_s' of network fixes the batch at 1"):
        fgcompile.compile(reshaped(tmp_path, [1, CLASSES], batch, *behind))
