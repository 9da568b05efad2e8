"""Writes the page: its own files, the packages that it runs on, and the artifact beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fgcompile.artifact.file import read_artifact, read_tokenizer, weights_file
from fgcompile.artifact.metadata import Metadata, fixed_batch
from fgcompile.artifact.validation import takes_tokens
from fgcompile.errors import InputError, OutputError
from fgcompile.page.packages import REGISTRY, read_files, read_lock
from fgcompile.page.texts import require_texts_shown
from fgcompile.system.files import make_directory, write_atomically

SITE = Path(__file__).parent / "site"
ARTIFACT = "model.onnx"
PHOTOS, TEXTS = "photos", "texts"
"""The pages that there are, by what their artifacts take."""

_ENTRY = "index.html"
_ENTRY_OF_TEXTS = "text.html"
_FOLDER_OF_TEXTS = "text"
_SHARED = ("artifact.js", "favicon.svg", "perform.js", "session.js", "style.css", "targets.js")
"""What the page of texts takes from that of photos."""

_UNSERVED = ("package.json", _ENTRY_OF_TEXTS)
"""What only Node.js reads, which takes the page's modules for the tests; and what another page begins with."""


def write_page(
    artifact: Path,
    folder: Path,
    packages: Path | None = None,
    registry: str = REGISTRY,
    report: Callable[[str], None] = lambda step: None,
) -> None:
    """Writes a static page that explains photos or texts by an artifact, in WebAssembly or WebGPU, and talks to nobody.

    The page comes last, so that a folder with one is complete.

    Args:
        artifact: An ``.onnx`` that takes raw photos, or keeps a tokenizer.
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
    require_onnx(metadata, artifact)
    if (weights := weights_file(content, metadata, artifact)) is not None:
        raise InputError(f"{artifact} has weights in {weights.name}, more than a page can load: serve it instead")
    tokenizer = read_tokenizer(content, metadata, artifact)
    if tokenizer is None:
        require_shown(metadata, artifact)
    else:
        require_texts_shown(metadata, tokenizer, artifact)
    page = PHOTOS if tokenizer is None else TEXTS
    require_no_other_page(folder)
    make_directory(folder)
    for package in read_lock(page):
        report(f"{package.name} {package.version}")
        for name, data in read_files(package, packages, registry):
            _write(folder / "packages" / name, data)
    report(artifact.name)
    _write(folder / ARTIFACT, content)
    for name, path in page_files(page).items():
        _write(folder / name, path.read_bytes())


def require_no_other_page(folder: Path) -> None:
    """Refuses a folder that begins with somebody else's page.

    Raises:
        OutputError: It does.
    """
    if (folder / _ENTRY).exists() and not (folder / ARTIFACT).exists():
        raise OutputError(f"{folder / _ENTRY} is there already: give another folder, or delete it")


def page_files(page: str) -> Mapping[str, Path]:
    """A page's own files, by their paths in its folder; the one that it begins with is the last."""
    if page == PHOTOS:
        own = [path for path in SITE.iterdir() if path.is_file() and path.name not in (*_UNSERVED, _ENTRY)]
        return {**{path.name: path for path in own}, _ENTRY: SITE / _ENTRY}
    own = [*(SITE / name for name in _SHARED), *(SITE / _FOLDER_OF_TEXTS).iterdir()]
    return {**{str(path.relative_to(SITE)): path for path in own}, _ENTRY: SITE / _ENTRY_OF_TEXTS}


def _write(path: Path, content: bytes) -> None:
    make_directory(path.parent)
    write_atomically(path, content)


def require_onnx(metadata: Metadata, path: Path) -> None:
    """Passes an artifact that browsers can run, of one photo or text a call.

    Raises:
        InputError: They cannot.
    """
    if metadata["format"] != "onnx":
        raise InputError(f"{path} is {metadata['format']}, and browsers run ONNX: compile it to .onnx")
    if fixed_batch(metadata) not in (None, 1):
        count = fixed_batch(metadata)
        raise InputError(f"{path} takes {count} samples a call, and the page has one: compile it with batch=1")


def require_shown(metadata: Metadata, path: Path) -> None:
    """Passes an artifact that the page of photos can show.

    Raises:
        InputError: It cannot.
    """
    if takes_tokens(metadata):
        raise InputError(f"{path} takes the numbers of a text's tokens, no texts: compile it with --tokenizer FILE")
    taken = [
        spec for spec in metadata["inputs"] if not spec.get("optional") and spec["name"] not in ("target", "explain")
    ]
    if metadata["preprocess"] is None and not any(len(spec["shape"]) == 4 for spec in taken):
        sizes = ", ".join(f"{spec['name']} ({', '.join(map(str, spec['shape']))})" for spec in taken)
        raise InputError(
            f"{path} takes {sizes}, and the page explains photos and texts: save arrays by numpy.save, and give them "
            "to fgcompile explain"
        )
    if metadata["preprocess"] is None:
        raise InputError(f"{path} takes prepared arrays, not photos: compile it with --mean and --std")
    if len(taken) != 1 or taken[0]["shape"][-1] not in (1, 3):
        raise InputError(
            f"{path} takes {', '.join(spec['name'] for spec in taken)}: the page has one grey or RGB photo"
        )
    outputs = {spec["name"] for spec in metadata["outputs"]}
    if missing := sorted({"logits", "saliency"} - outputs):
        raise InputError(f"{path} does not return {' or '.join(missing)}: compile it with both")
