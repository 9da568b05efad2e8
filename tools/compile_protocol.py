"""Compiles ``open_inference.proto``, the messages of gRPC, into the description that the server reads.

    python -m tools.compile_protocol

Needs grpcio-tools. A test compares the committed file with what this makes.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "fgcompile" / "serving" / "rpc"


def compile_protocol(output: Path) -> None:
    """Writes the description to a file."""
    from grpc_tools import protoc

    status = protoc.main(["protoc", f"-I{FOLDER}", f"--descriptor_set_out={output}", "open_inference.proto"])
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    compile_protocol(FOLDER / "open_inference.binpb")
    sys.exit(0)
