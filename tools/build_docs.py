"""Builds the documentation site: `make docs`, or `python -m tools.build_docs -o site` with the group `docs`.

The documents stay where they are read in the repository: they, and what they link to, are laid out in a folder as they
lie here, beside a page of the API made of the docstrings, and mkdocs makes pages of that, without the network.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

FOLDERS = ("", "docs", "docs/decisions", "docs/tutorials", "benchmarks", "benchmarks/results", "examples", "examples/*")
"""Where the documents lie."""

PICTURES = {".png", ".jpg", ".svg"}

SECTIONS = {
    "Guides": (
        *("python", "command-line", "files", "pictures", "text", "transformers"),
        *("formats", "serving", "phones", "hubs"),
    ),
    "Safety": ("trust", "deploying-safely"),
    "The method": ("method", "operators", "onnx-operators", "benchmarks"),
    "Contributing": ("architecture", "writing-a-rule", "releasing"),
}
"""The pages of ``docs`` that the site's menu shows, by section; others are found by links and the search."""


def documents() -> list[Path]:
    """The Markdown files of the site, relative to the repository."""
    found = {path for folder in FOLDERS for path in ROOT.glob(f"{folder}/*.md".lstrip("/"))}
    return sorted(path.relative_to(ROOT) for path in found if "node_modules" not in path.parts)


def linked(document: Path) -> Iterator[Path]:
    """What a document links to that lies in the repository, relative to that."""
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        address = "".join(target).partition("#")[0]
        path = (ROOT / document.parent / address).resolve()
        if address and "://" not in address and path.is_relative_to(ROOT) and path.is_file():
            yield path.relative_to(ROOT)


def public_names() -> Mapping[str, str]:
    """The package's public names and where each is defined, by the package's own table."""
    tree = ast.parse((ROOT / "fgcompile" / "__init__.py").read_text(encoding="utf-8"))
    (homes,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_HOMES"
    )
    return dict(homes)


def reference() -> str:
    """The page of the API, of which mkdocstrings makes the rest."""
    parts = ["# API", "Each name is `fgcompile`'s own: `fgcompile.compile`, `fgcompile.load`, and so on."]
    parts += [f"::: {home}.{name}" for name, home in public_names().items()]
    parts += ["# Scores", "::: fgcompile.scores", "# Errors", "::: fgcompile.errors"]
    return "\n\n".join([*parts, ""])


def lay_out(folder: Path) -> None:
    """Copies the documents and what they show or link to, and writes the page of the API."""
    files = {*documents(), *(path for document in documents() for path in linked(document))}
    for path in files:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    (folder / "docs" / "reference.md").write_text(reference(), encoding="utf-8")


def configuration(folder: Path, site: Path) -> dict[str, Any]:
    """mkdocs's settings."""
    tutorials = sorted(path.name for path in (folder / "docs" / "tutorials").glob("*.md"))
    menu: list[dict[str, Any]] = [{"fgcompile": "README.md"}]
    menu += [{"Tutorials": [f"docs/tutorials/{name}" for name in tutorials]}] if tutorials else []
    menu += [{title: [f"docs/{name}.md" for name in names]} for title, names in SECTIONS.items()]
    menu += [{"Examples": "examples/README.md"}, {"API": "docs/reference.md"}, {"Changelog": "CHANGELOG.md"}]
    return {
        "site_name": "fgcompile",
        "site_description": "A prediction and its exact explanation in one call.",
        "docs_dir": str(folder),
        "site_dir": str(site.resolve()),
        "use_directory_urls": False,  # so that the folder can be opened as files
        "nav": menu,
        "validation": {
            "nav": {"omitted_files": "ignore"},
            # Links to folders are for the repository; the tests check all of them.
            "links": {"not_found": "ignore", "unrecognized_links": "ignore", "anchors": "warn"},
        },
        "theme": {
            "name": "material",
            "font": False,  # pages that load nothing from elsewhere
            "palette": [
                {"media": f"(prefers-color-scheme: {scheme})", "scheme": name, "primary": "deep orange"}
                for scheme, name in (("light", "default"), ("dark", "slate"))
            ],
            "features": ["navigation.sections", "navigation.top", "content.code.copy", "search.highlight"],
        },
        "markdown_extensions": [
            "admonition",
            "attr_list",
            "md_in_html",
            "tables",
            {"toc": {"permalink": True}},
            "pymdownx.superfences",
            "pymdownx.highlight",
        ],
        "plugins": [
            "search",
            {
                "mkdocstrings": {
                    "handlers": {
                        "python": {
                            "paths": [str(ROOT)],
                            "options": {
                                "docstring_style": "google",
                                "show_source": False,
                                "show_root_heading": True,
                                "show_root_full_path": False,
                                "heading_level": 2,
                                "members_order": "source",
                                "filters": ["!^_"],
                                "separate_signature": True,
                                "show_signature_annotations": True,
                            },
                        }
                    }
                }
            },
        ],
    }


def main(arguments: list[str] | None = None) -> int:
    """Builds the site; returns mkdocs's exit status."""
    parser = argparse.ArgumentParser(prog="python -m tools.build_docs", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("site"), metavar="DIR", help="where to write it")
    output = parser.parse_args(arguments).output
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "documents"
        lay_out(folder)
        settings = Path(name) / "mkdocs.yml"
        settings.write_text(json.dumps(configuration(folder, output)), encoding="utf-8")  # which is YAML too
        command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--config-file", str(settings)]
        return subprocess.run(command, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
