"""What a terminal is shown: in its own characters, and nothing that a file has put there to steer it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx

from fgcompile.artifact.seal import seal_onnx
from tests.support.tiny_artifacts import onnx_body


def test_a_terminal_that_knows_ascii_alone_is_shown_the_rest_escaped(tiny: Path) -> None:
    command = [sys.executable, "-m", "fgcompile", "inspect", str(tiny)]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()


def test_what_a_runtime_says_does_not_reach_the_terminal_as_it_is(tmp_path: Path) -> None:
    model = onnx.load_from_string(onnx_body())
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([1 << 44]), "many"))
    fill = onnx.helper.make_node("ConstantOfShape", ["many"], ["ones"], name="\x1b]0;title\x07")
    last = onnx.helper.make_node("ReduceMax", ["ones"], ["one"], keepdims=0)
    model.graph.node.insert(0, last)
    model.graph.node.insert(0, fill)
    mean = next(node for node in model.graph.node if node.op_type == "ReduceMean")
    mean.output[0] = "less"
    model.graph.node.append(onnx.helper.make_node("Add", ["less", "one"], ["mean"]))
    model.graph.node.insert(3, model.graph.node.pop())
    (tmp_path / "large.onnx").write_bytes(seal_onnx(model.SerializeToString()))
    command = [sys.executable, "-m", "fgcompile", "bench", str(tmp_path / "large.onnx"), "--repeats", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr
