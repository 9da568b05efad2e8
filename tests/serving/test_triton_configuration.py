"""Triton's own description of a model configuration, and the rules that its parser does not know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fgcompile.artifact.metadata import Metadata, dumps, loads
from fgcompile.cli import app
from fgcompile.errors import InputError, OutputError
from fgcompile.serving.triton import Deployment, write_models
from fgcompile.serving.triton.configuration import choose_runtime, configure
from fgcompile.serving.triton.textproto import Constant, dump
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata, torchscript_artifact

configurations = pytest.importorskip(
    "tritonclient.grpc.model_config_pb2", reason="needs tritonclient: pip install 'tritonclient[grpc,http]'"
)
text_format = pytest.importorskip("google.protobuf.text_format", reason="needs protobuf: pip install protobuf")

BATCHED_SITE = {"name": "bias_gradients.conv", "dtype": "float32", "shape": ["batch", 8, 2, 2]}
ON_DEMAND = {
    "on_demand": True,
    "inputs": [*tiny_metadata()["inputs"], {"name": "explain", "dtype": "bool", "shape": []}],
}
DYNAMIC = {
    "inputs": [
        {"name": "x", "dtype": "float32", "shape": ["batch", 3, "16*height", "width"], "example": [2, 3, 32, 48]},
        {"name": "target", "dtype": "int64", "shape": ["batch"]},
    ]
}
OPTIONAL_BIASES = {
    "inputs": [*tiny_metadata()["inputs"], {"name": "fc.bias", "dtype": "float32", "shape": [5], "optional": True}]
}


def _metadata(artifact_format: str = "onnx", **changes: object) -> Metadata:
    return loads(dumps(tiny_metadata(artifact_format, **changes)), "tiny")


def _parse(metadata: Metadata, deployment: Deployment = Deployment()) -> Any:  # noqa: B008  # it is frozen
    runtime = choose_runtime(metadata, "tiny", deployment)
    return text_format.Parse(dump(configure(metadata, runtime, deployment)), configurations.ModelConfig())


def _require_valid(config: Any) -> None:
    """Triton's rules beyond the message's grammar, from its pages on model configurations."""
    assert config.max_batch_size >= 0
    assert config.backend or config.platform
    for tensor in (*config.input, *config.output):
        assert tensor.dims
        assert all(size == -1 or size > 0 for size in tensor.dims)
        assert tensor.data_type != configurations.TYPE_INVALID
        if tensor.HasField("reshape"):
            assert _count(tensor.reshape.shape) == _count(tensor.dims)
    names = [tensor.name for tensor in (*config.input, *config.output)]
    assert len(names) == len(set(names))
    assert not (config.HasField("dynamic_batching") and config.max_batch_size == 0)
    assert all(0 < size <= config.max_batch_size for size in config.dynamic_batching.preferred_batch_size)
    assert all(group.count > 0 for group in config.instance_group)
    for sample in config.model_warmup:
        assert sample.batch_size == 1 or sample.batch_size <= config.max_batch_size
        assert set(sample.inputs) == {tensor.name for tensor in config.input}
        for tensor in config.input:
            sent = sample.inputs[tensor.name]
            assert sent.data_type == tensor.data_type
            assert len(sent.dims) == len(tensor.dims)
            assert all(size > 0 for size in sent.dims)
            assert all(due in (-1, size) for due, size in zip(tensor.dims, sent.dims, strict=True))


def _count(shape: Any) -> int:
    count = 1
    for size in shape:
        count *= size
    return count


@pytest.mark.parametrize("python", [False, True])
@pytest.mark.parametrize("changes", [{}, ON_DEMAND, DYNAMIC, OPTIONAL_BIASES, {"labels": None}, {"target": 3}])
def test_every_configuration_of_onnx_is_valid(changes: dict[str, object], python: bool) -> None:
    _require_valid(_parse(_metadata(**changes), Deployment(python=python, max_delay=100)))


@pytest.mark.parametrize("artifact_format", ["torchscript", "pt2"])
def test_every_configuration_of_pytorch_is_valid(artifact_format: str) -> None:
    _require_valid(_parse(_metadata(artifact_format)))


def test_batching_leaves_out_the_batch_and_gives_the_target_an_axis() -> None:
    config = _parse(_metadata(), Deployment(max_batch=16, max_delay=250))
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == 16
    assert config.dynamic_batching.max_queue_delay_microseconds == 250
    x, target = config.input
    assert list(x.dims) == [3, 4, 4]
    assert (list(target.dims), target.HasField("reshape"), list(target.reshape.shape)) == ([1], True, [])
    assert [output.name for output in config.output] == ["logits", "saliency"]
    assert [output.label_filename for output in config.output] == ["labels.txt", ""]


def test_on_demand_is_not_batched_and_warmed_up_with_an_explanation() -> None:
    config = _parse(_metadata(**ON_DEMAND))
    assert config.max_batch_size == 0
    assert [list(tensor.dims) for tensor in config.input] == [[-1, 3, 4, 4], [-1], [1]]
    assert config.model_warmup[0].inputs["explain"].input_data_file == "on"


def test_dynamic_sizes_are_warmed_up_at_the_example() -> None:
    config = _parse(_metadata(**DYNAMIC))
    assert list(config.input[0].dims) == [3, -1, -1]
    assert list(config.model_warmup[0].inputs["x"].dims) == [3, 32, 48]


def test_optional_inputs_keep_their_trained_values() -> None:
    assert [tensor.name for tensor in _parse(_metadata(**OPTIONAL_BIASES)).input] == ["x", "target"]


def test_a_package_takes_one_sample_by_position() -> None:
    config = _parse(_metadata("pt2"))
    assert (config.backend, config.platform, config.max_batch_size) == ("pytorch", "torch_aoti", 0)
    assert [(tensor.name, list(tensor.dims)) for tensor in config.input] == [
        ("INPUT__0", [1, 3, 4, 4]),
        ("INPUT__1", [1]),
    ]
    assert [tensor.name for tensor in config.output] == ["OUTPUT__0", "OUTPUT__1"]


def test_a_package_runs_where_it_was_compiled_for() -> None:
    kinds = {device: _parse(_metadata("pt2", device=device)).instance_group[0].kind for device in ("cpu", "cuda")}
    group = configurations.ModelInstanceGroup
    assert kinds == {"cpu": group.KIND_CPU, "cuda": group.KIND_GPU}


def test_tensorrt_is_an_accelerator() -> None:
    config = _parse(_metadata(), Deployment(tensorrt=True, device="gpu", instances=2))
    (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
    assert accelerator.name == "tensorrt"
    (group,) = config.instance_group
    assert (group.count, group.kind) == (2, configurations.ModelInstanceGroup.KIND_GPU)


@pytest.mark.parametrize(
    ("artifact_format", "changes", "deployment", "message"),
    [
        ("torchscript", {}, Deployment(python=True), r"model\.py runs ONNX artifacts"),
        ("pt2", {}, Deployment(tensorrt=True), "TensorRT runs ONNX artifacts"),
        ("pt2", ON_DEMAND, Deployment(), "compile it without on_demand"),
        ("onnx", {"outputs": [{"name": "y", "dtype": "uint16", "shape": ["batch"]}]}, Deployment(), "uint16"),
    ],
)
def test_what_triton_does_not_run_is_refused(
    artifact_format: str, changes: dict[str, object], deployment: Deployment, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        _parse(_metadata(artifact_format, **changes), deployment)


@pytest.mark.parametrize(
    "options",
    [
        {"max_batch": 0},
        {"instances": 0},
        {"max_delay": -1},
        {"device": "tpu"},
        {"tensorrt": True, "python": True},
        {"tensorrt": True, "device": "cpu"},
    ],
)
def test_deployments_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"give|choose|needs"):
        Deployment(**options)


def test_text_is_read_back_as_it_was() -> None:
    name = 'a "quoted" \\ näme\n猫'
    text = dump({"name": name, "max_batch_size": 3, "instance_group": {"kind": Constant("KIND_CPU")}})
    config = text_format.Parse(text, configurations.ModelConfig())
    assert (config.name, config.max_batch_size) == (name, 3)
    assert config.instance_group[0].kind == configurations.ModelInstanceGroup.KIND_CPU


def test_a_repository_holds_versions(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    repository = tmp_path / "repository"
    first = write_models([path], repository, Deployment())
    second = write_models([path], repository, Deployment())
    assert [first, second] == [[repository / "tiny/1"], [repository / "tiny/2"]]
    assert (repository / "tiny/2/model.onnx").read_bytes() == path.read_bytes()
    assert (repository / "tiny/labels.txt").read_text().splitlines() == tiny_metadata()["labels"]
    assert sorted(entry.name for entry in (repository / "tiny").iterdir()) == ["1", "2", "config.pbtxt", "labels.txt"]


def test_a_delay_is_refused_where_no_requests_are_put_together(tmp_path: Path) -> None:
    path = tmp_path / "asked.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata(**ON_DEMAND)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"asked\.onnx: Triton puts no requests for it together.*--max-delay"):
        write_models([path], tmp_path / "repository", Deployment(max_delay=100))
    assert not (tmp_path / "repository").exists()
    path.write_bytes(onnx_artifact(tiny_metadata()))
    write_models([path], tmp_path / "repository", Deployment(max_delay=100))


def test_nothing_is_written_where_one_artifact_is_refused(tmp_path: Path) -> None:
    good, bad = tmp_path / "good.onnx", tmp_path / "bad.pt"
    good.write_bytes(onnx_artifact(tiny_metadata()))
    bad.write_bytes(torchscript_artifact(tiny_metadata("torchscript")))
    with pytest.raises(InputError, match=r"bad\.pt"):
        write_models([good, bad], tmp_path / "repository", Deployment(python=True))
    assert not (tmp_path / "repository").exists()


def test_a_repository_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    with pytest.raises(OutputError, match="cannot be written"):
        write_models([path], path, Deployment())


def test_the_command_says_how_to_run_it(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact(tiny_metadata()))
    done = CliRunner().invoke(app, ["triton", str(path), "-o", str(tmp_path / "models")])
    assert done.exit_code == 0, done.output
    assert "tritonserver --model-repository" in done.output
    refused = CliRunner().invoke(app, ["triton", str(path), "-o", str(tmp_path / "models"), "--backend", "jax"])
    assert refused.exit_code == 2
    assert "'jax' is not one of 'python'" in " ".join(refused.output.split())


@pytest.mark.parametrize("name", ["...onnx", "a\nb.onnx"])
def test_a_name_that_leaves_the_repository_is_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(onnx_artifact())
    with pytest.raises(InputError):
        write_models([path], tmp_path / "inner" / "repository", Deployment())
    assert not list(tmp_path.glob("inner/**/config.pbtxt"))


def test_a_link_that_leaves_the_repository_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact())
    for name in ("repository", "outside"):
        (tmp_path / name).mkdir()
    (tmp_path / "repository" / "tiny").symlink_to(tmp_path / "outside")
    with pytest.raises(OutputError, match="is a link"):
        write_models([path], tmp_path / "repository", Deployment())
    assert list((tmp_path / "outside").iterdir()) == []
