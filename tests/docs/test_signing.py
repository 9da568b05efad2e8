"""The page on trust signs with OpenSSH and minisign: its commands work, and refuse a file that was changed."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fgcompile.cli import app
from tests.support.tiny_artifacts import onnx_artifact

PAGE = Path(__file__).parents[2] / "docs" / "trust.md"


UNASKED = {"ssh-keygen": ("-f release", "-f release -N '' -q"), "minisign": ("-G", "-G -W")}
"""Keys without a password, which the tools would ask for."""

PACKAGES = {"ssh-keygen": "openssh-client", "minisign": "minisign"}


@pytest.mark.parametrize("tool", UNASKED)
def test_the_commands_of_the_page_sign_and_verify(tool: str, tmp_path: Path) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}: apt install {PACKAGES[tool]}")
    (commands,) = re.findall(rf"```sh\n({tool}.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "model.onnx").write_bytes(onnx_artifact())
    signing, verifying = commands.split("# whoever gets the file\n")

    def run(script: str) -> int:
        return subprocess.run(["sh", "-e", "-c", script], cwd=tmp_path, capture_output=True, check=False).returncode

    assert run(signing.replace(*UNASKED[tool], 1)) == 0
    assert run(verifying) == 0
    (tmp_path / "model.onnx").write_bytes(onnx_artifact() + b"\0")
    assert run(verifying) != 0


def test_the_digest_is_what_other_tools_say(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(onnx_artifact())
    result = CliRunner().invoke(app, ["inspect", str(tmp_path / "model.onnx"), "--json"])
    assert json.loads(result.stdout)["digest"] == f"sha256:{hashlib.sha256(onnx_artifact()).hexdigest()}"
