"""The documentation site has every document, what they show, and every public name."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import fgcompile
from tests.docs.test_paths import DOCUMENTS, ROOT
from tools import build_docs


def test_every_document_is_on_it_and_what_it_shows(tmp_path: Path) -> None:
    build_docs.lay_out(tmp_path)
    for document in DOCUMENTS:
        assert (tmp_path / document.relative_to(ROOT)).is_file(), document
    for document in (Path("README.md"), Path("docs/pictures.md")):
        for path in build_docs.linked(document):
            assert (tmp_path / path).is_file(), path


def test_the_menu_names_pages_that_are_there(tmp_path: Path) -> None:
    build_docs.lay_out(tmp_path)

    def pages(menu: Any) -> list[str]:
        if isinstance(menu, str):
            return [menu]
        return [page for each in (menu.values() if isinstance(menu, dict) else menu) for page in pages(each)]

    named = pages(build_docs.configuration(tmp_path, tmp_path / "site")["nav"])
    assert [page for page in named if not (tmp_path / page).is_file()] == []
    shown = {Path(page).stem for page in named if page.startswith("docs/") and page.count("/") == 1}
    # What is not in the menu is found from a page that is.
    assert {path.stem for path in (ROOT / "docs").glob("*.md")} <= shown


def test_the_reference_has_every_public_name() -> None:
    names = build_docs.public_names()
    assert {*names, "__version__"} == set(fgcompile.__all__)
    text = build_docs.reference()
    for name, home in names.items():
        assert hasattr(importlib.import_module(home), name)
        assert f"::: {home}.{name}\n" in text
