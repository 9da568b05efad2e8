"""A real Triton server, with its Python backend, over a model repository.

It is the one in the package nvidia-pytriton, in a virtual environment of its own, since it wants an older NumPy:
``make triton`` installs it.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.harness.processes import HOST, free_port, running

ENVIRONMENT = Path(os.environ.get("TRITON_VENV", ".venv/triton")).absolute()
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
PACKAGES = ENVIRONMENT / "lib" / f"python{PYTHON}" / "site-packages"
SERVER = PACKAGES / "pytriton" / "tritonserver"


def missing() -> str | None:
    """What is missing to run it, or None."""
    return None if SERVER.exists() else "needs a Triton server: make triton"


@contextmanager
def triton(folder: Path, repository: Path, model: str) -> Iterator[dict[Any, Any]]:
    """Runs the server until ``model`` is ready; yields Triton's clients by their modules, for REST and gRPC.

    Args:
        folder: An empty folder for what the server needs.
        repository: The models.
        model: The one to wait for.
    """
    import tritonclient.grpc as grpc
    import tritonclient.http as http

    ports = {"http": free_port(), "grpc": free_port()}
    command = [
        str(SERVER / "bin/tritonserver"),
        f"--model-repository={repository}",
        f"--backend-directory={_link_backend(folder / 'backends')}",
        "--allow-metrics=false",
        "--exit-timeout-secs=5",
        *(option for name, port in ports.items() for option in (f"--{name}-address={HOST}", f"--{name}-port={port}")),
    ]
    libraries = [str(PACKAGES / "nvidia_pytriton.libs"), str(sysconfig.get_config_var("LIBDIR"))]
    environment = {
        **os.environ,
        "LD_LIBRARY_PATH": ":".join(libraries),
        "PATH": f"{ENVIRONMENT / 'bin'}:{os.environ['PATH']}",  # the stub runs the Python that it finds
    }
    environment.pop("PYTHONPATH", None)
    clients = {
        protocol: protocol.InferenceServerClient(f"{HOST}:{port}")
        for protocol, port in zip((http, grpc), ports.values(), strict=True)
    }
    with running(
        command, lambda: all(client.is_model_ready(model) for client in clients.values()), folder / "log", environment
    ):
        yield clients
        for client in clients.values():
            client.close()


def _link_backend(folder: Path) -> Path:
    """The Python backend with the stub of this Python, which the package keeps apart."""
    backend = folder / "python"
    backend.mkdir(parents=True)
    for path in (*(SERVER / "backends/python").iterdir(), *(SERVER / "python_backend_stubs" / PYTHON).iterdir()):
        (backend / path.name).symlink_to(path)
    return folder
