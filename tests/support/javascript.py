"""Programs for Node.js that try the modules of the page, on values that go in and come out as JSON."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from benchmarks.serving.chromium import PACKAGES
from fgcompile.page.site import SITE

LIBRARY = PACKAGES / "@huggingface" / "tokenizers" / "dist" / "tokenizers.min.mjs"


def run_module(imports: dict[str, str], expression: str, given: Any) -> Any:
    """What an expression of ``given`` and the imported names is.

    Args:
        imports: Names, with commas, by the module of the page that they come from; ``library`` is there too.
        expression: In JavaScript.
        given: For JSON.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node.js")
    if not LIBRARY.is_file():
        pytest.skip("needs `npm ci --ignore-scripts` in examples/browser")
    lines = [f"import {{ {names} }} from {json.dumps((SITE / path).as_uri())};" for path, names in imports.items()]
    program = "\n".join(
        [
            *lines,
            f"import * as library from {json.dumps(LIBRARY.as_uri())};",
            'import { readFileSync } from "node:fs";',
            'const given = JSON.parse(readFileSync(0, "utf8"));',
            f"console.log(JSON.stringify({expression}));",
        ]
    )
    done = subprocess.run(
        [node, "--input-type=module", "-e", program], input=json.dumps(given), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
