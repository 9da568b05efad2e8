"""The programs of ``examples/cpp``, built against PyTorch's own libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from fgcompile.artifact.validation import Array

SOURCES = Path(__file__).parents[2] / "examples" / "cpp"


def missing() -> str | None:
    """What is missing to build them, or None."""
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if shutil.which("cmake") is None:
        return "needs cmake"
    if compiler is None or run(compiler, "-std=c++20", "-fsyntax-only", "-x", "c++", os.devnull).returncode:
        return "needs a compiler of C++20"
    if torch.version.cuda is not None and shutil.which("nvcc") is None:
        return "PyTorch's CMake files ask for the CUDA toolkit"
    return None


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A command on one thread."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def build(folder: Path) -> Path:
    """Builds the programs by the commands of examples/README.md; returns their folder.

    Raises:
        RuntimeError: What the compiler said.
    """
    prefix = f"-DCMAKE_PREFIX_PATH={torch.utils.cmake_prefix_path}"
    for command in (
        ("cmake", "-S", SOURCES, "-B", folder, "-DCMAKE_BUILD_TYPE=Release", prefix),
        ("cmake", "--build", folder, "--parallel", "2"),
    ):
        done = run(*command)
        if done.returncode != 0:
            raise RuntimeError(done.stdout + done.stderr)
    return folder


def write_photo(pixels: Array, folder: Path) -> None:
    """Writes a photo, uint8 (H, W, C), as the PPM or PGM that the programs read, ``photo.ppm``."""
    Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[..., 0]).save(folder / "photo.ppm")


def explain(programs: Path, artifact: Path, folder: Path, *target: int | str) -> tuple[list[str], Array, Array]:
    """What the program of the artifact's format prints of ``photo.ppm``, the logits and the map.

    Raises:
        RuntimeError: What it complained of.
    """
    program = programs / ("explain_package" if artifact.suffix == ".pt2" else "explain_torchscript")
    done = run(program, artifact, "photo.ppm", *target, cwd=folder)
    if done.returncode != 0 or done.stderr:
        raise RuntimeError(done.stderr)
    logits, saliency = torch.load(folder / "explanation.pt")
    return done.stdout.splitlines(), np.asarray(logits), np.asarray(saliency)
