"""``page`` and ``ui``: what is written or served, and what is refused in a line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from fgcompile.page import local, site
from tests.cli.results import Run, assert_one_line_error
from tests.support.tiny_artifacts import onnx_artifact


@pytest.fixture
def artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One whose page needs no package."""
    monkeypatch.setattr(site, "require_shown", lambda metadata, path: None)
    monkeypatch.setattr(site, "read_lock", lambda page: [])
    path = tmp_path / "net.onnx"
    path.write_bytes(onnx_artifact())
    return path


def test_a_page_is_written_and_said_how_to_serve(run: Run, artifact: Path, tmp_path: Path) -> None:
    result = run("page", artifact, "-o", tmp_path / "site")
    assert result.status == 0, result.err
    assert f"python -m http.server -b 127.0.0.1 -d {tmp_path / 'site'}" in result.out
    assert (tmp_path / "site" / "index.html").is_file()


@pytest.mark.parametrize("browser", [True, False])
def test_a_page_is_shown_until_it_is_ended(
    run: Run, artifact: Path, monkeypatch: pytest.MonkeyPatch, browser: bool
) -> None:
    served: list[Path] = []
    opened: list[str] = []

    def end() -> None:
        assert (served[0] / "index.html").is_file()
        raise KeyboardInterrupt

    @contextmanager
    def open_server(folder: Path, port: int) -> Iterator[SimpleNamespace]:
        served.append(folder)
        yield SimpleNamespace(server_port=port, serve_forever=end)

    monkeypatch.setattr(local, "open_server", open_server)
    monkeypatch.setattr(typer, "launch", opened.append)
    result = run("ui", artifact, "--port", 8000, *([] if browser else ["--no-browser"]))
    assert result.status == 0, result.err
    assert f"http://127.0.0.1:8000 explains by {artifact}" in result.out
    assert opened == ["http://127.0.0.1:8000"] * browser
    assert not served[0].exists()


def test_ports_and_artifacts_that_are_refused(run: Run, artifact: Path, tmp_path: Path) -> None:
    assert_one_line_error(run("ui", artifact, "--port", 70000, "--no-browser"), "port 70000 of 127.0.0.1")
    assert_one_line_error(run("ui", tmp_path / "missing.onnx"), "missing.onnx")
