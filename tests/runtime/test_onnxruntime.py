"""ONNX artifacts need ONNX Runtime and NumPy alone; providers and threads are checked."""

import importlib.util
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from fgcompile.errors import ArtifactError, InputError
from fgcompile.runtime import load
from fgcompile.runtime.onnxruntime import OnnxRuntimeBackend
from tests.support.tiny_artifacts import onnx_artifact, tiny_metadata

X = np.ones((2, 3, 4, 4), dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiny.onnx"
    path.write_bytes(onnx_artifact())
    return path


def run_without(blocked: tuple[str, ...], path) -> str:
    """Standard output of a process that explains one input with these packages out of reach."""
    script = (
        "import sys\n"
        f"for name in {blocked!r}: sys.modules[name] = None\n"
        "import numpy as np\n"
        "from fgcompile.errors import FgcompileError\n"
        "from fgcompile.runtime import load\n"
        "try:\n"
        "    explanation = load(sys.argv[1]).explain(np.ones((2, 3, 4, 4), np.float32), target=1)\n"
        "    print(explanation.saliency.shape, explanation.target)\n"
        "except FgcompileError as error: print(error)\n"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert result.stderr == ""
    return result.stdout


def test_it_is_served_without_torch_and_onnx(path):
    assert run_without(("torch", "onnx", "onnxscript"), path) == "(2, 1, 4, 4) [1 1]\n"


def test_a_missing_runtime_is_named(path):
    expected = "ONNX artifacts need ONNX Runtime: pip install 'fgcompile[cpu]' or 'fgcompile[gpu]'\n"
    assert run_without(("onnxruntime",), path) == expected


@pytest.mark.parametrize(
    "providers",
    [None, ["CPUExecutionProvider"], [("CPUExecutionProvider", {"use_arena": "0"})]],
    ids=["default", "name", "options"],
)
def test_providers_are_names_or_names_with_options(providers, path):
    assert load(path, providers=providers, threads=1).explain(X).logits.shape == (2, 5)


@pytest.mark.parametrize("provider", ["AbacusExecutionProvider", ("AbacusExecutionProvider", {"beads": "10"})])
def test_an_unknown_provider_is_refused(provider, path):
    openvino = ["OpenVINO"] if importlib.util.find_spec("openvino") else []
    available = ", ".join([*onnxruntime.get_available_providers(), *openvino])
    with pytest.raises(InputError) as caught:
        load(path, providers=["CPUExecutionProvider", provider])
    assert str(caught.value) == f"unknown execution provider AbacusExecutionProvider: available here are {available}"


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("TensorrtExecutionProvider", r"is not in the ONNX Runtime that is installed: pip install 'fgcompile\[gpu\]'"),
        ("QNNExecutionProvider", "is not in the ONNX Runtime that is installed: install a build of it that has it"),
        ("tensorrt", "unknown execution provider tensorrt: perhaps TensorrtExecutionProvider; available here are"),
    ],
)
def test_a_provider_that_is_not_installed_is_told_from_one_that_is_none(provider, message, path, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match=message):
        load(path, providers=[provider])


def test_a_provider_that_does_not_start_is_refused(path, monkeypatch):
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda _: ["CPUExecutionProvider"])
    with pytest.raises(InputError, match="execution provider AzureExecutionProvider did not start"):
        load(path, providers=["AzureExecutionProvider", "CPUExecutionProvider"])


@pytest.mark.skipif(
    "AzureExecutionProvider" not in onnxruntime.get_available_providers(),
    reason="needs a build of ONNX Runtime with the provider of Azure, as that of PyPI is",
)
def test_the_default_providers_are_local():
    backend = OnnxRuntimeBackend(onnx_artifact(), tiny_metadata(), None, None)
    assert "AzureExecutionProvider" not in backend._session.get_providers()


def test_threads_are_those_of_one_operator(path):
    backend = OnnxRuntimeBackend(path.read_bytes(), tiny_metadata(), None, 2)
    options = backend._session.get_session_options()
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 1)


def test_calls_take_no_second_memory_for_a_plan(path):
    """``docs/decisions/memory-plans.md``"""
    backend = OnnxRuntimeBackend(path.read_bytes(), tiny_metadata(), ["CPUExecutionProvider"], None)
    assert not backend._session.get_session_options().enable_mem_pattern


def test_a_model_that_the_runtime_cannot_load_is_one_line():
    with pytest.raises(ArtifactError) as caught:
        OnnxRuntimeBackend(b"\x08\x63", tiny_metadata(), None, None)
    assert str(caught.value).startswith(f"ONNX Runtime {onnxruntime.__version__} cannot load the artifact (")
    assert "\n" not in str(caught.value)
