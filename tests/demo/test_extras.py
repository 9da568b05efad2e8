"""What the demo brings along, and what it says when something is missing."""

from __future__ import annotations

import pytest

from fgcompile.demo import extras
from fgcompile.errors import MissingPackageError


def test_packages_are_found_without_importing_them() -> None:
    assert (extras.find_package("jinja2") / "__init__.py").is_file()


def test_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "EXTRAS", ("no_package_of_this_name",))
    with pytest.raises(MissingPackageError, match=r"no_package_of_this_name: pip install 'fgcompile\[demo,cpu\]'"):
        extras.check_extras()
