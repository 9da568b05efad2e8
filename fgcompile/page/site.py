"""Writes the page: its own files, the packages that it runs on, and the artifact beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from fgcompile.artifact.file import read_artifact
from fgcompile.artifact.metadata import Metadata, fixed_batch
from fgcompile.errors import InputError
from fgcompile.page.packages import REGISTRY, read_files, read_lock
from fgcompile.system.files import make_directory, write_atomically

SITE = Path(__file__).parent / "site"
ARTIFACT = "model.onnx"
_ENTRY = "index.html"
_UNSERVED = ("package.json",)
"""What only Node.js reads, which takes the page's modules for the tests."""

_ASKED = ({"class"}, {"class", "height", "width"})
"""Axes of a target that the page can ask for: a class, and where there are places one of them, by a click."""


def write_page(
    artifact: Path,
    folder: Path,
    packages: Path | None = None,
    registry: str = REGISTRY,
    report: Callable[[str], None] = lambda step: None,
) -> None:
    """Writes a static page that explains photos by an artifact, in WebAssembly or WebGPU, and talks to nobody.

    The page comes last, so that a folder with one is complete.

    Args:
        artifact: An ``.onnx`` that takes raw photos.
        folder: Receives the page; files of the same names are replaced, others are left.
        packages: A folder of npm's packages; None fetches them.
        registry: Where they are fetched from.
        report: Called with each step as it begins.

    Raises:
        ArtifactError: It is none, or damaged.
        InputError: The page cannot show what it explains, or a package cannot be had.
        OutputError: The folder cannot be written.
    """
    content, metadata = read_artifact(artifact)
    require_shown(metadata, artifact)
    make_directory(folder)
    for package in read_lock():
        report(f"{package.name} {package.version}")
        for name, data in read_files(package, packages, registry):
            _write(folder / "packages" / name, data)
    report(artifact.name)
    _write(folder / ARTIFACT, content)
    for path in sorted(SITE.iterdir(), key=lambda path: path.name == _ENTRY):
        if path.name not in _UNSERVED:
            _write(folder / path.name, path.read_bytes())


def _write(path: Path, content: bytes) -> None:
    make_directory(path.parent)
    write_atomically(path, content)


def require_shown(metadata: Metadata, path: Path) -> None:
    """Passes an artifact that the page can show.

    Raises:
        InputError: It cannot.
    """
    if metadata["format"] != "onnx":
        raise InputError(f"{path} is {metadata['format']}, and browsers run ONNX: compile it to .onnx")
    if "tokenizer" in metadata:
        raise InputError(f"{path} takes texts, which the page does not: `fgcompile explain` makes a page of them")
    if fixed_batch(metadata) not in (None, 1):
        count = fixed_batch(metadata)
        raise InputError(f"{path} takes {count} photos a call, and the page has one: compile it with batch=1")
    if metadata["preprocess"] is None:
        raise InputError(f"{path} takes prepared arrays, not photos: compile it with --mean and --std")
    taken = [
        spec for spec in metadata["inputs"] if not spec.get("optional") and spec["name"] not in ("target", "explain")
    ]
    if len(taken) != 1 or taken[0]["shape"][-1] not in (1, 3):
        raise InputError(
            f"{path} takes {', '.join(spec['name'] for spec in taken)}: the page has one grey or RGB photo"
        )
    axes = {axis["name"] for axis in metadata.get("target_axes", [])}
    if metadata["target"] == "input" and axes and axes not in _ASKED:
        raise InputError(
            f"{path} takes targets of {', '.join(sorted(axes))}, and the page asks for a class and a place"
        )
    outputs = {spec["name"] for spec in metadata["outputs"]}
    if missing := sorted({"logits", "saliency"} - outputs):
        raise InputError(f"{path} does not return {' or '.join(missing)}: compile it with both")
