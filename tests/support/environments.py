"""Python environments of chosen packages and nothing else, made in a moment: what is installed here is linked."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Environment:
    """A virtual environment.

    Attributes:
        python: Its interpreter.
        packages: The folder of its packages.
    """

    python: Path
    packages: Path

    def run(self, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
        """The interpreter with these arguments, in a folder; nothing of this process's environment leads elsewhere."""
        command = [str(self.python), *map(str, arguments)]
        return subprocess.run(command, cwd=folder, env=clean_variables(), capture_output=True, text=True, check=False)


def clean_variables() -> dict[str, str]:
    """This process's, without those that lead Python to other packages."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}


def declared(*extras: str) -> list[str]:
    """What pyproject.toml says that fgcompile needs, with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = [requirement for extra in extras for requirement in project["optional-dependencies"][extra]]
    return [*project["dependencies"], *own]


def make_environment(folder: Path, requirements: list[str]) -> Environment:
    """An environment of these requirements and of theirs.

    Raises:
        PackageNotFoundError: One of them is not installed here.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    for name in sorted(_with_their_own(requirements)):
        distribution = metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(Path(str(distribution.locate_file(top))).resolve())
    return Environment(folder / "bin" / "python", packages)


def environment_of(python: Path) -> Environment:
    """The environment of an interpreter, of another version of Python say, in which fgcompile is installed."""
    question = "import sysconfig; print(sysconfig.get_path('purelib'))"
    asked = [str(python), "-c", question]
    packages = subprocess.run(asked, env=clean_variables(), capture_output=True, text=True, check=True)
    return Environment(python, Path(packages.stdout.strip()))


def _with_their_own(requirements: list[str]) -> set[str]:
    """The names of what these requirements install, themselves included."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        requirement = waiting.pop()
        for extra in ("", *requirement.extras):
            name = canonicalize_name(requirement.name)
            if (name, extra) in found:
                continue
            found.add((name, extra))
            below = [Requirement(text) for text in metadata.requires(name) or ()]
            waiting += [one for one in below if one.marker is None or one.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}
