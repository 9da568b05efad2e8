"""Whether an artifact is what its recipe would make now.

It is made again where one of these differs from the last time: the recipe's options; the versions of fgcompile, torch,
onnx, onnxscript, and of the library that its source is of; the content of any file that was read for it, which are
those that its options name (of a folder all that lie in it), and the modules of the project that were imported; or the
artifact itself, which may be gone, or not the one that was written.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fgcompile._version import __version__
from fgcompile.cli.building import Job
from fgcompile.cli.source_names import LIBRARIES
from fgcompile.system.files import write_atomically

CACHE = Path(".fgcompile_cache") / "recipes.json"
"""What was made of each recipe, beside the file that has them."""

_PACKAGES = ("torch", "onnx", "onnxscript")
_IGNORED = ("site-packages", "dist-packages")


def read_cache(root: Path) -> dict[str, Any]:
    """What is known of earlier times; nothing where that cannot be read, so that all is made again."""
    try:
        known = json.loads((root / CACHE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def write_cache(root: Path, known: Mapping[str, Any]) -> None:
    """Keeps it, in a folder that version control leaves alone."""
    folder = (root / CACHE).parent
    folder.mkdir(exist_ok=True)
    if not (folder / ".gitignore").exists():
        (folder / ".gitignore").write_text("*\n", encoding="utf-8")
    write_atomically(root / CACHE, json.dumps(known, indent=2, sort_keys=True).encode())


def why_stale(entry: object, job: Job, arguments: Iterable[str], root: Path) -> str | None:
    """Why an artifact has to be made again; None where it has not."""
    if not isinstance(entry, dict):
        return "it was not made yet"
    if not job.output.is_file():
        return f"{job.output} is gone"
    if entry.get("arguments") != list(arguments):
        return "its options changed"
    versions = _versions(job)
    if entry.get("versions") != versions:
        old = entry.get("versions") or {}
        return "other versions: " + ", ".join(name for name in versions if versions[name] != old.get(name))
    for name, digest in {**entry.get("files", {}), str(job.output): entry.get("artifact")}.items():
        if _digest(root / name) != digest:
            return f"{name} changed"
    added = {_name(file, root) for file in _named_files(job)} - set(entry.get("files", {}))
    return f"{min(added)} is new" if added else None


def entry_of(job: Job, arguments: Iterable[str], root: Path) -> dict[str, Any]:
    """What is to be known of an artifact that was just made."""
    files = [*_named_files(job), *_imported(root)]
    return {
        "arguments": list(arguments),
        "versions": _versions(job),
        "files": {_name(file, root): _digest(file) for file in sorted(files)},
        "artifact": _digest(job.output),
    }


def _versions(job: Job) -> dict[str, str]:
    import importlib.metadata  # which takes a tenth of a command's start

    packages = (*_PACKAGES, *([job.source.scheme] if job.source.scheme in LIBRARIES else []))
    found = {"fgcompile": __version__, "python": sys.version.split()[0]}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "none"
    return found


def _named_files(job: Job) -> list[Path]:
    """The files that a recipe names, and those of folders that it does."""
    named = [job.weights, job.tokenizer, job.labels_file]
    if job.source.is_file or job.source.scheme == "transformers":
        path = Path(job.source.name)
        named.append(path.parent if path.name == "config.json" else path)
    found = []
    for path in filter(None, named):
        found += [each for each in sorted(path.rglob("*")) if each.is_file()] if path.is_dir() else [path]
    return [path.absolute() for path in found]


def _imported(root: Path) -> list[Path]:
    """The project's own modules among those that are imported by now."""
    found = []
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        path = Path(file).absolute() if isinstance(file, str) else None
        if path is None or not path.is_relative_to(root) or set(path.parts) & {*_IGNORED}:
            continue
        if path.is_file():  # some of PyTorch's modules have names of files that there are not
            found.append(path)
    return found


def _name(file: Path, root: Path) -> str:
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _digest(file: Path) -> str | None:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError:
        return None
