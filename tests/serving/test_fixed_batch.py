"""Artifacts of a fixed number of samples a call, served: any number of them, as the network that takes any answers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fgcompile.artifact.validation import Array
from fgcompile.serving.triton import Deployment, write_models
from tests.serving.served import grpc, http, served
from tests.serving.test_triton_python_model import TRITON
from tests.support.by_samples import SHAPE, compile_by_samples

PHOTOS = np.random.default_rng(0).integers(0, 256, (5, *SHAPE), dtype=np.uint8)
TARGETS = np.array([-1, 4, 0, 1, 2])


@pytest.fixture(scope="module")
def expected() -> dict[str, Array]:
    with compile_by_samples(None).session() as session:
        return session.run({"x": PHOTOS, "target": TARGETS})


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fixed") / "fixed.onnx"
    compile_by_samples(2).save(path)
    return path


def test_serve_takes_any_number_of_samples(fixed: Path, expected: dict[str, Array], tmp_path: Path) -> None:
    with served.serving(fixed, tmp_path / "log") as server:
        for protocol, address in ((http, server.rest), (grpc, server.grpc)):
            client = protocol.InferenceServerClient(address)
            for count in (1, 2, 5):
                answer = client.infer("fixed", served.as_inputs(protocol, PHOTOS[:count], TARGETS[:count]))
                for name, value in expected.items():
                    np.testing.assert_allclose(answer.as_numpy(name), value[:count], rtol=1e-5, atol=1e-6)


SCRIPT = """
import json, sys
import numpy as np
import model
class Request:
    def __init__(self, **tensors): self.tensors = tensors
    def requested_output_names(self): return ["logits", "saliency"]
config = {"parameters": {"max_batch": {"string_value": "8"}}, "input": [{"name": "x"}, {"name": "target"}]}
served = model.TritonPythonModel()
served.initialize({"model_config": json.dumps(config), "model_instance_kind": "CPU"})
given = np.load(sys.argv[1])
parts = [slice(0, 2), slice(2, 5)]
answers = served.execute([Request(x=given["x"][part], target=given["target"][part, None]) for part in parts])
assert not any(answer.error for answer in answers)
logits, saliency = (np.concatenate([answer.tensors[index].value for answer in answers]) for index in (0, 1))
np.savez(sys.argv[2], logits=logits, saliency=saliency)
"""


def test_triton_s_python_backend_takes_any_number_too(fixed: Path, expected: dict[str, Array], tmp_path: Path) -> None:
    (version,) = write_models([fixed], tmp_path / "models", Deployment(python=True))
    (tmp_path / "triton_python_backend_utils.py").write_text(TRITON)
    np.savez(tmp_path / "given.npz", x=PHOTOS, target=TARGETS)
    command = [sys.executable, "-B", "-c", SCRIPT, str(tmp_path / "given.npz"), str(tmp_path / "found.npz")]
    environment = {**os.environ, "PYTHONPATH": f"{version}{os.pathsep}{tmp_path}"}
    done = subprocess.run(command, cwd=version, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "found.npz") as found:
        for name, value in expected.items():
            np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-6)
