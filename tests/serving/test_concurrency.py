"""How many calls of an artifact a worker runs side by side."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import pytest

CODE = """
import asyncio, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
import numpy as np
from kserve import InferInput, InferRequest
from fgcompile.serving.kserve.model import ArtifactModel
from fgcompile.serving.admission import Limits
from tests.support.tiny_artifacts import tiny_metadata

class Slow:
    metadata = tiny_metadata()
    running, most, lock = 0, 0, threading.Lock()

    def run(self, feeds):
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
        time.sleep(0.05)
        with self.lock:
            self.running -= 1
        return {"logits": np.zeros((1, 5), np.float32), "saliency": np.zeros((1, 1, 4, 4), np.float32)}

async def ask(model):
    x = InferInput("x", [1, 3, 4, 4], "FP32")
    x.set_data_from_numpy(np.zeros((1, 3, 4, 4), np.float32))
    await asyncio.gather(*(model.predict(InferRequest("tiny", [x])) for _ in range(12)))

session = Slow()
asyncio.run(ask(ArtifactModel("tiny", session, Limits(), ThreadPoolExecutor(int(sys.argv[1])))))
print(session.most)
"""


@pytest.mark.skipif(find_spec("kserve") is None, reason="needs KServe: pip install 'fgcompile[serve]'")
@pytest.mark.parametrize("concurrency", [1, 3])
def test_no_more_calls_run_side_by_side_than_allowed(concurrency: int) -> None:
    """In a process of its own: kserve's protocol buffers have the names of tritonclient's."""
    done = subprocess.run([sys.executable, "-c", CODE, str(concurrency)], capture_output=True, text=True, check=True)
    assert int(done.stdout.split()[-1]) == concurrency
