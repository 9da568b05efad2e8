"""The modules of ``examples/node``, run by Node.js."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "examples" / "node"

_PROGRAM = """
import { readTargets } from "../../fgcompile/page/site/targets.js";
import { loadArtifact, readPhoto } from "./artifact.mjs";

const [path, target, ...photos] = process.argv.slice(1);
const artifact = await loadArtifact(path);
for (const photo of photos) {
  const pixels = await readPhoto(photo, artifact.shape, artifact.fit);
  const { logits, maps, targets } = await artifact.explain(pixels, target ? readTargets(target) : undefined);
  const saliency = maps.flatMap((map) => [...map]);
  console.log(JSON.stringify({ pixels: [...pixels], logits: [...logits.data], saliency, targets }));
}
"""


def missing() -> str | None:
    """What is missing to run them, or None."""
    if shutil.which("node") is None:
        return "needs Node.js"
    described = json.loads((FOLDER / "package.json").read_text())
    installed = all((FOLDER / "node_modules" / name / "package.json").is_file() for name in described["dependencies"])
    return None if installed else "needs `npm ci --ignore-scripts` in examples/node"


def version(package: Path) -> str:
    """The name and version of an installed npm package."""
    described = json.loads((package / "package.json").read_text())
    return f"{described['name']} {described['version']}"


def explain(artifact: Path, photos: Sequence[Path], target: str = "") -> list[dict[str, Any]]:
    """Explains photos: for each the ``pixels`` that the artifact was given, its ``logits``, its ``saliency``
    and the ``targets`` explained. ``target`` is what explain.mjs takes as such, or nothing.

    Raises:
        subprocess.CalledProcessError: It failed; Node.js has said on stderr why.
    """
    command = [
        "node",
        "--input-type=module",
        "--eval",
        _PROGRAM,
        "--",
        str(artifact.resolve()),
        target,
        *map(str, photos),
    ]
    done = subprocess.run(command, cwd=FOLDER, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]
