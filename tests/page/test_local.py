"""The page as ``fgcompile ui`` serves it."""

from __future__ import annotations

import threading
import urllib.request
from pathlib import Path

import pytest

from fgcompile.errors import InputError
from fgcompile.page.local import HOST, open_server


def test_a_page_is_served_isolated_to_this_machine(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<p>here")
    with open_server(tmp_path, 0) as server:
        assert server.server_address[0] == HOST
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with urllib.request.urlopen(f"http://{HOST}:{server.server_port}/") as answer:
            assert answer.read() == b"<p>here"
            assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
        with (
            pytest.raises(InputError, match=r"cannot be listened on .*: give another --port"),
            open_server(tmp_path, server.server_port),
        ):
            pass
        server.shutdown()


@pytest.mark.parametrize("port", [-1, 70000])
def test_ports_that_are_none(tmp_path: Path, port: int) -> None:
    with pytest.raises(InputError, match=f"port {port} of"), open_server(tmp_path, port):
        pass
