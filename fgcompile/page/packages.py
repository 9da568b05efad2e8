"""The packages of npm that the page runs on: fetched once from a registry, by their hashes, or taken from a folder."""

from __future__ import annotations

import base64
import hashlib
import http.client
import io
import json
import os
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fgcompile.errors import InputError, OutputError, first_line
from fgcompile.system.files import make_directory, write_atomically

REGISTRY = "https://registry.npmjs.org"
_LOCK = Path(__file__).parent / "packages.json"
_PATIENCE = 60.0


@dataclass(frozen=True)
class Package:
    """A package, and what of it the page needs.

    Attributes:
        name: Its name, with its scope.
        version: The one that the page was tested with.
        license: As the package says it, in SPDX's words.
        integrity: ``sha512-…`` in base64, of the archive that the registry has.
        files: Paths within the package, its licence among them.
        pages: Which pages run on it: ``photos``, ``texts``.
    """

    name: str
    version: str
    license: str
    integrity: str
    files: Sequence[str]
    pages: Sequence[str]


def read_lock(page: str | None = None) -> list[Package]:
    """The packages that a page runs on, or those of all."""
    packages = [Package(**entry) for entry in json.loads(_LOCK.read_text(encoding="utf-8"))]
    return [package for package in packages if page is None or page in package.pages]


def read_files(package: Package, folder: Path | None, registry: str) -> Iterator[tuple[str, bytes]]:
    """The files of a package by their paths, ``name/path``.

    Args:
        package: The package.
        folder: A folder of packages, as npm's ``node_modules``; None fetches it, or takes it from the cache.
        registry: Where it is fetched from.

    Raises:
        InputError: The folder lacks a file, or has another version; the registry cannot be reached, or gives
            something else than what the lock says.
        OutputError: The cache cannot be written.
    """
    if folder is not None:
        yield from _of_folder(package, folder)
        return
    with tarfile.open(fileobj=io.BytesIO(_archive(package, registry)), mode="r:gz") as archive:
        for path in package.files:
            member = archive.extractfile(f"package/{path}")
            assert member is not None  # the archive is the one whose hash is in the lock
            yield f"{package.name}/{path}", member.read()


def _of_folder(package: Package, folder: Path) -> Iterator[tuple[str, bytes]]:
    where = f"{folder} has no {package.name} {package.version}"
    try:
        found = json.loads((folder / package.name / "package.json").read_bytes())["version"]
        if found != package.version:
            raise InputError(f"{where}, but {found}: install that version, or leave --packages out")
        for path in package.files:
            yield f"{package.name}/{path}", (folder / package.name / path).read_bytes()
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise InputError(f"{where}: give a folder of npm's packages, or leave --packages out") from error


def _archive(package: Package, registry: str) -> bytes:
    scope, _, name = package.name.rpartition("/")
    cached = _cache() / f"{scope + '+' if scope else ''}{name}-{package.version}.tgz"
    if cached.is_file() and _integrity(content := cached.read_bytes()) == package.integrity:
        return content
    address = f"{registry.rstrip('/')}/{package.name}/-/{name}-{package.version}.tgz"
    if not address.startswith(("https://", "http://")):
        raise InputError(f"--registry is {registry}: give the address of a registry of npm's, {REGISTRY}")
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
            content = bytes(answer.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise InputError(
            f"{address} cannot be fetched ({first_line(error)}): give --registry, or --packages with a node_modules"
        ) from error
    if _integrity(content) != package.integrity:
        raise InputError(f"{address} is another archive than the one that the page was tested with: it is not used")
    try:
        make_directory(cached.parent)
        write_atomically(cached, content)
    except OutputError as error:
        raise OutputError(f"{error}; it is the cache, which XDG_CACHE_HOME moves") from error
    return content


def _integrity(content: bytes) -> str:
    return f"sha512-{base64.b64encode(hashlib.sha512(content).digest()).decode()}"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fgcompile" / "packages"
