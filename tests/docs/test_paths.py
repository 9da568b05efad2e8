"""Whatever the documents name is there: files and folders of the repository, and modules to run."""

from __future__ import annotations

import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

FOLDERS = ("", "docs", "docs/decisions", "docs/tutorials", "benchmarks", "examples/*", ".github")
DOCUMENTS = sorted({path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.md".lstrip("/"))})

HOMES = (ROOT, ROOT / "fgcompile", ROOT / "fgcompile" / "compiler")
"""Where paths in the documents begin."""

MADE = ("demo/",)
"""What ``make demo`` makes."""


def text_of(document: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)


def links(document: Path) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", text_of(document)):
        address = "".join(target).partition("#")[0]
        if address and "://" not in address and not address.startswith("mailto:"):
            yield address


def quoted_paths(document: Path) -> Iterator[str]:
    """Words in backticks that begin with a folder of ours."""
    for quoted in re.findall(r"`([^`\n]+)`", text_of(document)):
        for word in quoted.split():
            if re.fullmatch(r"[\w.-]+/[\w./{},*-]*", word) and any(
                (home / word.split("/")[0]).is_dir() for home in HOMES
            ):
                yield word


def modules(document: Path) -> Iterator[str]:
    yield from re.findall(r"python3? -m ([\w.]+)", document.read_text(encoding="utf-8"))


def exists(path: str) -> bool:
    """Whether a path is there; braces and stars stand for what a shell makes of them."""
    if braces := re.search(r"\{([^}]*)\}", path):
        return all(exists(path.replace(braces[0], part, 1)) for part in braces[1].split(","))
    return any(list(home.glob(path)) if "*" in path else (home / path).exists() for home in HOMES)


def ids(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_links_lead_somewhere(document: Path) -> None:
    assert not [address for address in links(document) if not (document.parent / address).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_paths_in_backticks_exist(document: Path) -> None:
    paths = [path for path in quoted_paths(document) if not path.startswith(MADE)]
    assert not [path for path in paths if not exists(path) and not (document.parent / path).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_modules_to_run_exist(document: Path) -> None:
    ours = [name for name in modules(document) if name.split(".")[0] in ("benchmarks", "fgcompile", "tools", "docs")]
    assert not [name for name in ours if not runs(name)]


@pytest.mark.parametrize("document", DOCUMENTS, ids=ids)
def test_names_in_backticks_exist(document: Path) -> None:
    for name in re.findall(r"`(fgcompile(?:\.\w+)+)", text_of(document)):
        if name.endswith((".default", ".toml")):  # an operator's overload, and a file, are no names
            continue
        assert pkgutil.resolve_name(name) is not None


def runs(name: str) -> bool:
    """Whether ``python -m`` finds a module of the name: a file, or a package with a ``__main__``."""
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__main__.py").is_file()


def test_the_documents_are_found() -> None:
    names = {ids(path) for path in DOCUMENTS}
    assert {"README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/decisions/README.md"} <= names


DECISIONS = ROOT / "docs" / "decisions"


def test_every_decision_is_in_the_index_and_in_the_code() -> None:
    pages = {path.stem for path in DECISIONS.glob("*.md")} - {"README"}
    assert pages == set(re.findall(r"\]\(([\w-]+)\.md\)", (DECISIONS / "README.md").read_text(encoding="utf-8")))
    code = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "fgcompile").rglob("*.py"))
    named = set(re.findall(r"docs/decisions/([\w-]+)\.md", code))
    assert named == pages, "the code names each page where it was decided, and no page that there is not"
