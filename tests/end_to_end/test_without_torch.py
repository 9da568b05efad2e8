"""What runs artifacts, in environments without torch: ``fgcompile[cpu]``, and the same with ``serve`` and ``ray``.

They are real: an interpreter of its own, with a copy of the package and with what pyproject.toml declares. Or they are
what ``FGCOMPILE_TEST_PYTHON`` names, an interpreter of another version with all extras that need no torch: ``make
test-pythons``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import fgcompile
from tests.support.environments import ROOT, Environment, clean_variables, declared, environment_of, make_environment

OTHER_PYTHON = os.environ.get("FGCOMPILE_TEST_PYTHON")
ABSENT = ("torch", "onnx", "onnx_ir", "onnxscript", "safetensors", "matplotlib")
COMMANDS = ("compile", "inspect", "verify", "explain", "bench", "batch", "serve", "triton", "page", "ui", "card")
COMMANDS += ("demo",)
PHOTO = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A photo, and an artifact compiled here that explains it."""
    folder = tmp_path_factory.mktemp("artifact")
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 5))
    artifact = fgcompile.compile(
        nn.Sequential(*layers).eval(),
        torch.randn(2, 3, 16, 16),
        preprocess=fgcompile.Preprocess((0.5,) * 3, (0.25,) * 3),
        labels=["tench", "Löwe", "猫", "a", "b"],
    )
    artifact.save(folder / "net.onnx")
    Image.fromarray(PHOTO).save(folder / "photo.png")
    (folder / "criterion.py").write_text("def score(logits):\n    return logits[:, 0]\n")
    return folder


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """``fgcompile[cpu]``."""
    return _install(tmp_path_factory.mktemp("environment"), "cpu")


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """``fgcompile[cpu,serve,ray]``."""
    try:
        return _install(tmp_path_factory.mktemp("environment"), "cpu", "serve", "ray")
    except PackageNotFoundError as error:
        pytest.skip(f"needs the extras serve and ray: {error}")


def _install(folder: Path, *extras: str) -> Environment:
    if OTHER_PYTHON:
        return environment_of(Path(OTHER_PYTHON))
    made = make_environment(folder, declared(*extras))
    shutil.copytree(ROOT / "fgcompile", made.packages / "fgcompile", ignore=shutil.ignore_patterns("__pycache__"))
    return made


def run(environment: Environment, folder: Path, *arguments: object) -> str:
    """Standard output of a command, which has to succeed."""
    done = environment.run("-m", "fgcompile", *arguments, folder=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", ["environment", pytest.param("production", marks=pytest.mark.slow)])
def test_there_is_no_torch_and_no_other_copy_of_fgcompile(
    name: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    environment: Environment = request.getfixturevalue(name)
    for package in ABSENT:
        done = environment.run("-c", f"import {package}", folder=folder)
        assert f"ModuleNotFoundError: No module named '{package}'" in done.stderr
    done = environment.run("-c", "import fgcompile; print(fgcompile.__file__)", folder=folder)
    assert Path(done.stdout.strip()) == environment.packages / "fgcompile" / "__init__.py"


def test_help_of_every_command(environment: Environment, folder: Path) -> None:
    script = (
        "import typer.testing\n"
        "from fgcompile.cli import app\n"
        "names = [command.name or command.callback.__name__ for command in app.registered_commands]\n"
        f"assert names and set(names) == {set(COMMANDS)}, names\n"
        "for arguments in ([], *([name] for name in names)):\n"
        "    result = typer.testing.CliRunner().invoke(app, [*arguments, '--help'])\n"
        "    assert result.exit_code == 0 and 'Usage' in result.output, result.output\n"
    )
    done = environment.run("-c", script, folder=folder)
    assert done.returncode == 0, done.stderr


def test_load_explains_as_it_does_here(environment: Environment, folder: Path) -> None:
    script = (
        "import numpy, PIL.Image, fgcompile\n"
        "photo = numpy.asarray(PIL.Image.open('photo.png'))\n"
        "numpy.save('map.npy', fgcompile.load('net.onnx', threads=1).explain(photo[None], target=2).saliency)\n"
    )
    done = environment.run("-c", script, folder=folder)
    assert done.returncode == 0, done.stderr
    here = fgcompile.load(folder / "net.onnx", threads=1).explain(PHOTO[np.newaxis], target=2)
    np.testing.assert_array_equal(np.load(folder / "map.npy"), here.saliency)


def test_inspect_explain_and_triton(environment: Environment, folder: Path) -> None:
    assert json.loads(run(environment, folder, "inspect", "net.onnx", "--json"))["model"]["name"] == "Sequential"
    run(environment, folder, "explain", "net.onnx", "photo.png", "-o", "explained")
    with Image.open(folder / "explained" / "photo-explained.png") as picture:
        colours = np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)
    assert len(colours) > 256  # the colour map's, the photo's and the caption's
    for backend in ([], ["--backend", "python"]):
        run(environment, folder, "triton", "net.onnx", "-o", "models", *backend)
    assert (folder / "models" / "net" / "1" / "model.onnx").read_bytes() == (folder / "net.onnx").read_bytes()
    assert (folder / "models" / "net" / "2" / "model.py").is_file()


def test_bench_measures_all_but_the_ratio(environment: Environment, folder: Path) -> None:
    report = json.loads(run(environment, folder, "bench", "net.onnx", "--repeats", "3", "--json"))
    assert report["explanation"]["calls"] == 3
    assert report["forward"] is None
    assert report["no_ratio_because"].endswith("pip install 'fgcompile[compile]'")


def test_texts_are_explained_with_tokenizers_alone(environment: Environment, tmp_path: Path) -> None:
    """``fgcompile[cpu,text]``: no transformers, no torch; and without ``text`` it says what is missing."""
    pytest.importorskip("tokenizers", reason="needs tokenizers: pip install 'fgcompile[text]'")
    from tests.support.texts import text_artifact

    text_artifact("classifier").save(tmp_path / "text.onnx")
    try:
        with_texts = _install(tmp_path / "with", "cpu", "text")
    except PackageNotFoundError as error:
        pytest.skip(f"needs what tokenizers needs: {error}")
    done = with_texts.run("-c", "import transformers", folder=tmp_path)
    assert "No module named 'transformers'" in done.stderr
    records = json.loads(run(with_texts, tmp_path, "explain", "text.onnx", "The film's dull", "-o", "out", "--json"))
    here = fgcompile.load(tmp_path / "text.onnx").explain_text("The film's dull")
    assert [word["text"] for word in records[0]["words"]] == ["The", "film's", "dull"]
    np.testing.assert_allclose(
        [word["score"] for word in records[0]["words"]], [word.score for word in here.words], 1e-5
    )
    assert (tmp_path / "out" / "explained.html").is_file()
    if OTHER_PYTHON:
        return  # it has what another environment here has not
    done = environment.run("-m", "fgcompile", "explain", "text.onnx", "dull", "-o", "out", folder=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "pip install 'fgcompile[text]'" in done.stderr


def test_serve_answers_and_stops(production: Environment, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rest, socket.create_server(("127.0.0.1", 0)) as grpc:
        ports = [probe.getsockname()[1] for probe in (rest, grpc)]
    options = ["--port", str(ports[0]), "--grpc-port", str(ports[1])]
    command = [str(production.python), "-m", "fgcompile", "serve", "net.onnx", *options]
    tensor = {"name": "x", "shape": [1, *PHOTO.shape], "datatype": "UINT8", "data": PHOTO.ravel().tolist()}
    request = json.dumps({"inputs": [tensor]}).encode()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, cwd=folder, env=clean_variables(), stdout=log, stderr=log)
    try:
        answer = _ask(server, f"http://127.0.0.1:{ports[0]}/v2/models/net", request, folder / "log")
    finally:
        server.send_signal(signal.SIGTERM)
        status = server.wait(60)
    assert status == 0
    outputs = {output["name"]: np.reshape(output["data"], output["shape"]) for output in answer["outputs"]}
    here = fgcompile.load(folder / "net.onnx").explain(PHOTO[np.newaxis])
    np.testing.assert_allclose(outputs["saliency"], here.saliency, rtol=1e-5, atol=1e-7)


def _ask(server: subprocess.Popen[bytes], url: str, body: bytes, log: Path) -> dict[str, list[dict[str, object]]]:
    """The answer, once the server is there."""
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{url}/ready", timeout=30):
                break
        except OSError:
            time.sleep(0.1)
    headers = {"Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/infer", body, headers), timeout=30) as answer:
        return json.loads(answer.read())


def test_all_of_bulk_runs_but_ray_itself(production: Environment, folder: Path) -> None:
    """Starting Ray takes long: the slow test does. Here, what its workers do is done without it."""
    script = (
        "import numpy, pyarrow, ray\n"
        "import fgcompile.bulk.run\n"
        "from pathlib import Path\n"
        "from fgcompile.artifact.file import read_artifact\n"
        "from fgcompile.bulk.options import Wanted\n"
        "from fgcompile.bulk.stages import Explainer, Task, read_photos\n"
        "content, metadata = read_artifact('net.onnx')\n"
        "ray.get = lambda reference: reference\n"
        "task = Task((numpy.frombuffer(content, numpy.uint8), metadata), Wanted(Path('net.onnx'), (2,), 'parquet'),\n"
        "            Path('out'), None, 1)\n"
        "explainer = Explainer(task)\n"
        "rows = explainer(read_photos(pyarrow.table({'path': ['photo.png']}), explainer.shape)).to_pylist()\n"
        "numpy.save('row.npy', rows[0]['saliency'])\n"
    )
    done = production.run("-c", script, folder=folder)
    assert done.returncode == 0, done.stderr
    here = fgcompile.load(folder / "net.onnx", threads=1).explain(PHOTO[np.newaxis], target=2)
    np.testing.assert_array_equal(np.load(folder / "row.npy"), here.saliency.ravel())


@pytest.mark.slow  # most of a minute on a busy machine, for starting Ray
def test_batch_on_ray(production: Environment, folder: Path) -> None:
    options = ["--actors", "1", "--format", "png", "--json"]
    summary = json.loads(run(production, folder, "batch", "net.onnx", folder / "photo.png", "-o", "bulk", *options))
    assert summary["explained"] == 1
    assert len(list((folder / "bulk" / "maps").glob("*.png"))) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["compile", "net:build", "-o", "other.onnx"],
        ["compile", "net:build", "-o", "other.onnx", "--target", "1-2"],
        ["compile", "net:build", "-o", "other.onnx", "--target", "criterion:score"],
        ["verify", "net.onnx", "--source", "net:build"],
    ],
)
def test_commands_that_need_torch_say_what_to_install(
    environment: Environment, folder: Path, arguments: list[str]
) -> None:
    done = environment.run("-m", "fgcompile", *arguments, folder=folder)
    expected = "fgcompile: error: models need torch: pip install 'fgcompile[compile]'\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert not (folder / "other.onnx").exists()


def test_the_demo_says_what_to_install(environment: Environment, folder: Path) -> None:
    done = environment.run("-m", "fgcompile", "demo", "-o", "demo", folder=folder)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith("pip install 'fgcompile[demo,cpu]'\n")
    assert not (folder / "demo").exists()


def test_python_names_that_need_torch_say_what_to_install(environment: Environment, folder: Path) -> None:
    script = (
        "import fgcompile, importlib\n"
        "from fgcompile.errors import MissingPackageError\n"
        "def ask(call):\n"
        "    try: call()\n"
        "    except MissingPackageError as error: print(error)\n"
        "for name in ('compile', 'full_gradient', 'expose_biases', 'verify', 'Preprocess', 'Noise', 'Artifact'):\n"
        "    ask(lambda: getattr(fgcompile, name))\n"
        "ask(lambda: importlib.import_module('fgcompile.scores'))\n"
        "assert fgcompile.load and fgcompile.Session and fgcompile.Explanation and fgcompile.RulesWarning\n"
    )
    done = environment.run("-c", script, folder=folder)
    assert done.returncode == 0, done.stderr
    advice = "pip install 'fgcompile[compile]'"
    assert done.stdout.splitlines() == [f"the compiler needs torch: {advice}"] * 7 + [f"scores need torch: {advice}"]
