"""The page on trust signs an artifact with OpenSSH: its commands work, and refuse a file that was changed."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.tiny_artifacts import onnx_artifact

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen: apt install openssh-client")
def test_the_commands_of_the_page_sign_and_verify(tmp_path: Path) -> None:
    (commands,) = re.findall(r"```sh\n(ssh-keygen.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "model.onnx").write_bytes(onnx_artifact())
    signing, verifying = commands.split("# whoever gets the file\n")

    def run(script: str) -> int:
        return subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, check=False).returncode

    assert run(signing.replace("-f release", "-f release -N '' -q")) == 0
    assert run(verifying) == 0
    (tmp_path / "model.onnx").write_bytes(onnx_artifact() + b"\0")
    assert run(verifying) != 0
