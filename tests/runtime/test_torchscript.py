"""TorchScript artifacts in torch: alone, and behind a session."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from fgcompile.errors import ArtifactError, InputError
from fgcompile.runtime import load
from fgcompile.runtime.torchscript import TorchScriptBackend
from tests.support.tiny_artifacts import tiny_metadata, torchscript_artifact

X = np.ones((2, 3, 4, 4), dtype=np.float32)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "tiny.pt"
    path.write_bytes(torchscript_artifact())
    return path


def test_it_is_served_without_fgcompile(path):
    script = (
        "import sys, warnings\n"
        "sys.modules['fgcompile'] = None\n"
        "import torch\n"
        "warnings.simplefilter('ignore')\n"
        "module = torch.jit.load(sys.argv[1])\n"
        "print([tuple(output.shape) for output in module(torch.ones(2, 3, 4, 4), torch.tensor([-1, 0]))])\n"
    )
    result = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("[(2, 5), (2, 1, 4, 4)]\n", "")


@pytest.mark.parametrize("providers", [["CPUExecutionProvider"], [("CUDA", {})], ["cpu", "cuda"], []])
def test_other_providers_than_one_device_are_refused(path, providers):
    with pytest.raises(InputError, match=r"a TorchScript artifact runs on \['cpu'\], \['cuda'\] or \['cuda:N'\]"):
        load(path, providers=providers)


def test_the_cpu_can_be_asked_for(path):
    np.testing.assert_array_equal(load(path, providers=["cpu"]).explain(X).logits, load(path).explain(X).logits)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a graphics card")
def test_a_missing_device_is_named(path):
    with pytest.raises(InputError, match="finds no CUDA device here"):
        load(path, providers=["cuda"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card, and the build of PyTorch for CUDA")
def test_cuda(path):
    there, here = load(path, providers=["cuda"]).explain(X), load(path).explain(X)
    np.testing.assert_allclose(there.logits, here.logits, rtol=1e-4)
    np.testing.assert_allclose(there.saliency, here.saliency, rtol=1e-3, atol=1e-5)


def test_threads_are_the_process_s(path):
    before = torch.get_num_threads()
    try:
        load(path)
        assert torch.get_num_threads() == before
        load(path, threads=before + 1)
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_a_single_output_needs_no_tuple():
    class Logits(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((2, 3))

    metadata = tiny_metadata(
        "torchscript", inputs=tiny_metadata()["inputs"][:1], outputs=tiny_metadata()["outputs"][:1]
    )
    buffer = torch.jit.script(Logits()).save_to_buffer()
    outputs = TorchScriptBackend(buffer, metadata, None, None).run({"x": X})
    assert {name: array.tolist() for name, array in outputs.items()} == {"logits": [[1.0, 1.0, 1.0]] * 2}


def test_a_module_that_torch_cannot_load_is_one_line():
    with pytest.raises(ArtifactError) as caught:
        TorchScriptBackend(b"PK", tiny_metadata("torchscript"), None, None)
    assert str(caught.value).startswith(f"torch {torch.__version__} cannot load the artifact (")
    assert "\n" not in str(caught.value)
