"""The page of ``fgcompile page`` in headless Chromium, served from a folder of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from fgcompile.page.site import PHOTOS, page_files

DRIVER = Path(__file__).parents[2] / "examples" / "browser"
PACKAGES = DRIVER / "node_modules"
SOFTWARE_WEBGPU = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")
"""Arguments that give Chromium a WebGPU adapter on a machine without a graphics card, if a slow one."""

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def find_chromium() -> str | None:
    """The path of Chromium, or None."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


def missing() -> str | None:
    """What is missing to run the page, or None."""
    if shutil.which("node") is None:
        return "needs Node.js"
    described = json.loads((DRIVER / "package.json").read_text())
    needed = [*described["dependencies"], *described["devDependencies"]]
    if not all((PACKAGES / name / "package.json").is_file() for name in needed):
        return "needs `npm ci --ignore-scripts` in examples/browser"
    return None if find_chromium() else "needs Chromium"


def version() -> str:
    """Chromium's name and version."""
    done = subprocess.run([str(find_chromium()), "--version"], capture_output=True, text=True, check=True)
    return " ".join(done.stdout.split()[:2])


class Page:
    """The open page. A step and its options are those of ``examples/browser/drive.mjs``."""

    def __init__(self, url: str, flags: tuple[str, ...] = ()) -> None:
        command = ["node", "drive.mjs", str(find_chromium()), url, *flags]
        self._process = subprocess.Popen(command, cwd=DRIVER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, step: str, **options: object) -> Any:
        """What comes of one step.

        Raises:
            RuntimeError: The step failed; Node.js has said on stderr why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps({"step": step, **options}, default=str), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the browser's driver ended at the step {step!r}")
        return json.loads(answer)

    def close(self) -> None:
        """Closes the browser."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)


@contextmanager
def open_page(
    folder: Path,
    artifact: Path | None = None,
    flags: tuple[str, ...] = (),
    absent: str | None = None,
    page: str = PHOTOS,
) -> Iterator[Page]:
    """Serves the page, and an artifact beside it, from ``folder`` and opens it in headless Chromium.

    Args:
        folder: An empty folder, which receives links to the page's files.
        artifact: What the page finds as ``model.onnx``; None for nothing.
        flags: Further arguments of Chromium.
        absent: A part of the addresses that the server answers with 404.
        page: ``PHOTOS`` or ``TEXTS``.
    """
    for name, path in page_files(page).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(path)
    (folder / "packages").symlink_to(PACKAGES)
    if artifact is not None:
        (folder / "model.onnx").symlink_to(artifact.resolve())
    with open_site(folder, flags, absent) as opened:
        yield opened


@contextmanager
def open_site(folder: Path, flags: tuple[str, ...] = (), absent: str | None = None) -> Iterator[Page]:
    """Serves a folder with the page in it; ``flags`` and ``absent`` as for ``open_page``."""
    handler = partial(_Handler, absent, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        page = Page(f"http://127.0.0.1:{server.server_port}/", flags)
        try:
            yield page
        finally:
            page.close()
            server.shutdown()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, absent: str | None, *arguments: Any, **options: Any) -> None:
        self._absent = absent
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        """The file of an address."""
        return "/nowhere" if self._absent and self._absent in path else super().translate_path(path)

    def log_message(self, format: str, *values: Any) -> None:
        """Says nothing of each request."""
