"""AOTInductor packages: equal to the other formats, the same bytes each time, and told apart from exported programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import fgcompile
from fgcompile.cli.sources import load_source
from fgcompile.errors import ArtifactError, InputError, MissingPackageError, SourceError
from tests.support.compiled import compiled
from tests.support.networks import build

OUTPUTS = ("logits", "saliency", "contributions", "residual", "input_gradient", "bias_gradients")

COMPILE = """
import sys
import torch, fgcompile
from tests.support.networks import build
torch.set_num_threads(2)
model, x = build("residual", torch.float32)
fgcompile.compile(model, x, format="pt2", outputs=sys.argv[2].split(",")).save(sys.argv[1])
"""
SERVE = """
import sys
sys.modules["fgcompile"] = None
import numpy, torch
model = torch._inductor.aoti_load_package(sys.argv[1])
outputs = model(torch.from_numpy(numpy.load(sys.argv[2])), torch.tensor([1, -1]))
numpy.save(sys.argv[3], outputs[1].numpy())
"""


def run(code: str, *arguments: object, **environment: str) -> None:
    command = [sys.executable, "-W", "ignore", "-c", code, *map(str, arguments)]
    subprocess.run(command, check=True, env=os.environ | environment)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Compiling takes long, and most tests can share one package."""
    path = tmp_path_factory.mktemp("pt2") / "model.pt2"
    compiled("residual", "pt2", outputs=OUTPUTS).save(path)
    return path


def test_it_equals_the_torchscript_artifact_for_every_batch(path: Path, tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    compiled("residual", "torchscript", outputs=OUTPUTS).save(tmp_path / "model.pt")
    session, other = fgcompile.load(path), fgcompile.load(tmp_path / "model.pt")
    assert session.metadata["device"] == "cpu"
    for classes in (np.array([-1]), np.array([1, -1, 0, 2, -1])):
        feeds = {"x": np.random.default_rng(0).normal(size=(len(classes), *x.shape[1:])).astype(np.float32)}
        actual, expected = (each.run({**feeds, "target": classes}) for each in (session, other))
        assert list(actual) == list(expected)
        for name, values in expected.items():
            assert np.abs(actual[name] - values).max() <= 1e-4 * max(0.1, np.abs(values).max()), name
    transposed = np.asfortranarray(feeds["x"])
    np.testing.assert_array_equal(session.explain(transposed).saliency, session.explain(feeds["x"]).saliency)
    assert fgcompile.verify(path, model, x).passed


@pytest.fixture(scope="module")
def served(path: Path) -> tuple[Path, str]:
    """The folder with the map that PyTorch alone makes of the package, and what oneDNN says that it does."""
    _, x = build("residual", torch.float32)
    folder = path.parent
    np.save(folder / "x.npy", x[:2].numpy())
    (folder / "temporary").mkdir()
    environment = os.environ | {"ONEDNN_VERBOSE": "1", "TMPDIR": str(folder / "temporary")}
    command = [sys.executable, "-W", "ignore", "-c", SERVE, path, folder / "x.npy", folder / "map.npy"]
    return folder, subprocess.run(command, check=True, env=environment, capture_output=True, text=True).stdout


def test_it_is_served_without_fgcompile_and_leaves_nothing_behind(path: Path, served: tuple[Path, str]) -> None:
    _, x = build("residual", torch.float32)
    folder, temporary = served[0], served[0] / "temporary"
    expected = fgcompile.load(path).explain(x[:2].numpy(), np.array([1, -1])).saliency
    np.testing.assert_allclose(np.load(folder / "map.npy"), expected, rtol=1e-5, atol=1e-6)
    run("import sys, fgcompile; session = fgcompile.load(sys.argv[1])", path, TMPDIR=str(temporary))
    assert not [name for name in os.listdir(temporary) if "torchinductor" not in name]


def test_weights_of_convolutions_are_laid_out_when_compiling(served: tuple[Path, str]) -> None:
    _, said = served
    executed = [line.split(",") for line in said.splitlines() if ",exec," in line]
    kinds = [line[line.index("exec") + 2] for line in executed]
    assert kinds.count("convolution") >= 4
    assert kinds.count("reorder") == 0, said


@pytest.mark.slow
def test_the_same_model_gives_the_same_bytes_in_another_process(path: Path, tmp_path: Path) -> None:
    run(COMPILE, tmp_path / "again.pt2", ",".join(OUTPUTS))
    assert (tmp_path / "again.pt2").read_bytes() == path.read_bytes()


@pytest.mark.slow
def test_bias_parameters_are_optional_inputs_and_sizes_dynamic(tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    options = {"outputs": OUTPUTS, "biases": "inputs", "dynamic_sizes": True}
    fgcompile.compile(model, x, format="pt2", **options).save(tmp_path / "model.pt2")
    fgcompile.compile(model, x, format="torchscript", **options).save(tmp_path / "model.pt")
    session, other = fgcompile.load(tmp_path / "model.pt2"), fgcompile.load(tmp_path / "model.pt")
    name = next(spec["name"] for spec in session.metadata["inputs"] if spec.get("optional"))
    bias = np.ones(next(spec["shape"] for spec in session.metadata["inputs"] if spec["name"] == name), np.float32)
    batch = np.random.default_rng(0).normal(size=(3, *x.shape[1:-2], x.shape[-2] + 8, x.shape[-1])).astype(np.float32)
    for biases in ({}, {name: bias}):
        actual, expected = (each.explain(batch, biases=biases) for each in (session, other))
        np.testing.assert_allclose(actual.logits, expected.logits, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(actual.saliency, expected.saliency, rtol=1e-3, atol=1e-4)


def test_damage_is_refused(path: Path, tmp_path: Path) -> None:
    content = path.read_bytes()
    flipped = bytearray(content)
    flipped[len(flipped) // 2] ^= 1
    for damaged, message in ((bytes(flipped), "is damaged"), (content[: len(content) // 2], "is truncated")):
        (tmp_path / "damaged.pt2").write_bytes(damaged)
        with pytest.raises(ArtifactError, match=message):
            fgcompile.load(tmp_path / "damaged.pt2")


@pytest.mark.parametrize("provider", ["CPUExecutionProvider", "cuda"])
def test_other_devices_than_the_package_s_own_are_refused(path: Path, provider: str) -> None:
    with pytest.raises(InputError, match=r"an AOTInductor package compiled for cpu runs on \['cpu'\]"):
        fgcompile.load(path, providers=[provider])


def test_exported_programs_and_packages_are_told_apart(path: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="is compiled already, not an exported program"):
        load_source(str(path))
    torch.export.save(torch.export.export(nn.Linear(3, 2), (torch.zeros(2, 3),)), tmp_path / "model.pt2")
    with pytest.raises(ArtifactError, match="is an exported program, not an artifact: make one of it"):
        fgcompile.load(tmp_path / "model.pt2")


def test_a_missing_compiler_is_one_line() -> None:
    import torch._inductor.config

    model, x = build("residual", torch.float32)
    with (
        torch._inductor.config.patch({"cpp.cxx": ("no-such-compiler",)}),
        pytest.raises(MissingPackageError, match=r"^compiling to pt2 needs a C\+\+ compiler: install g\+\+"),
    ):
        fgcompile.compile(model, x, format="pt2")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"format": "onnx", "device": "gpu"}, "device is 'gpu', which is not one of 'cpu', 'cuda'"),
        ({"format": "pt2", "device": "tpu"}, "device is 'tpu', which is not one of 'cpu', 'cuda'"),
    ],
)
def test_devices_that_do_not_fit_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        fgcompile.compile(nn.Linear(3, 2).eval(), torch.zeros(1, 3), **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card, and the build of PyTorch for CUDA")
def test_cuda(tmp_path: Path) -> None:
    model, x = build("residual", torch.float32)
    fgcompile.compile(model, x, format="pt2", device="cuda").save(tmp_path / "model.pt2")
    assert fgcompile.load(tmp_path / "model.pt2").metadata["device"] == "cuda"
    assert fgcompile.verify(tmp_path / "model.pt2", model, x).passed
