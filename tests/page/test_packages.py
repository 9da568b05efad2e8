"""What the page runs on is what the lock says, wherever it comes from."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fgcompile.errors import InputError
from fgcompile.page.packages import Package, read_files, read_lock
from fgcompile.page.site import PHOTOS, TEXTS, page_files

ROOT = Path(__file__).parents[2]


def archive(version: bytes = b"1.2.3") -> bytes:
    written = io.BytesIO()
    with tarfile.open(fileobj=written, mode="w:gz") as tar:
        for name, content in (("package/index.js", b"export {}"), ("package/LICENSE", version)):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return written.getvalue()


ARCHIVE = archive()
INTEGRITY = f"sha512-{base64.b64encode(hashlib.sha512(ARCHIVE).digest()).decode()}"
PACKAGE = Package("tiny", "1.2.3", "MIT", INTEGRITY, ("index.js", "LICENSE"), ("photos",))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *values: object) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A registry's address, and the archive that it gives of the package."""
    path = tmp_path / "registry" / "tiny" / "-" / "tiny-1.2.3.tgz"
    path.parent.mkdir(parents=True)
    path.write_bytes(ARCHIVE)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path / "registry"))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", path
        server.shutdown()


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_the_lock_is_what_the_page_is_tested_with() -> None:
    tested = json.loads((ROOT / "examples" / "browser" / "package-lock.json").read_text())["packages"]
    for package in read_lock():
        entry = tested[f"node_modules/{package.name}"]
        assert (package.version, package.integrity, package.license) == tuple(
            entry[key] for key in ("version", "integrity", "license")
        )
    for page in (PHOTOS, TEXTS):
        served = page_files(page)["index.html"].read_text()
        files = {f"./packages/{package.name}/{path}" for package in read_lock(page) for path in package.files}
        imported = {line.split('"')[3] for line in served.splitlines() if "./packages/" in line}
        assert imported
        assert imported <= files
        assert {path.split("/")[2] for path in imported} == {each.name.split("/")[0] for each in read_lock(page)}


def test_a_scope_is_part_of_the_address(tmp_path: Path, served: tuple[str, Path]) -> None:
    address, path = served
    scoped = path.parents[2] / "@ours" / "tiny" / "-" / path.name
    scoped.parent.mkdir(parents=True)
    path.rename(scoped)
    files = dict(read_files(replace(PACKAGE, name="@ours/tiny"), None, address))
    assert files == {"@ours/tiny/index.js": b"export {}", "@ours/tiny/LICENSE": b"1.2.3"}
    assert [found.name for found in (tmp_path / "cache").rglob("*.tgz")] == ["@ours+tiny-1.2.3.tgz"]


def test_a_package_is_fetched_once(served: tuple[str, Path]) -> None:
    address, path = served
    expected = [("tiny/index.js", b"export {}"), ("tiny/LICENSE", b"1.2.3")]
    assert list(read_files(PACKAGE, None, address)) == expected
    path.unlink()
    assert list(read_files(PACKAGE, None, address)) == expected


def test_a_cache_that_was_changed_is_not_used(served: tuple[str, Path], tmp_path: Path) -> None:
    address, _ = served
    list(read_files(PACKAGE, None, address))
    (cached,) = (tmp_path / "cache").rglob("*.tgz")
    cached.write_bytes(archive(b"other"))
    assert dict(read_files(PACKAGE, None, address))["tiny/LICENSE"] == b"1.2.3"


def test_another_archive_is_not_used(served: tuple[str, Path]) -> None:
    address, path = served
    path.write_bytes(archive(b"other"))
    with pytest.raises(InputError, match="another archive than the one that the page was tested with"):
        list(read_files(PACKAGE, None, address))


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("file:///etc", "--registry is file:///etc: give the address of a registry"),
        ("http://127.0.0.1:9", r"cannot be fetched .*: give --registry, or --packages"),
    ],
)
def test_registries_that_are_none(registry: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(read_files(PACKAGE, None, registry))


def test_a_missing_archive_is_named(served: tuple[str, Path]) -> None:
    address, path = served
    path.unlink()
    with pytest.raises(InputError, match=r"tiny-1.2.3.tgz cannot be fetched \(.*404"):
        list(read_files(PACKAGE, None, address))


def test_a_folder_of_packages(tmp_path: Path) -> None:
    folder = tmp_path / "node_modules" / "tiny"
    folder.mkdir(parents=True)
    with pytest.raises(InputError, match=r"has no tiny 1\.2\.3: give a folder"):
        list(read_files(PACKAGE, folder.parent, ""))
    (folder / "package.json").write_text('{"version": "1.2.4"}')
    with pytest.raises(InputError, match=r"has no tiny 1\.2\.3, but 1\.2\.4"):
        list(read_files(PACKAGE, folder.parent, ""))
    (folder / "package.json").write_text('{"version": "1.2.3"}')
    for name in PACKAGE.files:
        (folder / name).write_text(name)
    assert dict(read_files(PACKAGE, folder.parent, "")) == {"tiny/index.js": b"index.js", "tiny/LICENSE": b"LICENSE"}
