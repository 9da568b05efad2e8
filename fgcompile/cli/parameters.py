"""Arguments and options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SourceArgument = Annotated[
    str,
    typer.Argument(
        metavar="SOURCE",
        help="package.module:callable (arguments as name?key=value), torchvision:NAME, timm:NAME, "
        "transformers:PATH, or a .pt2 or .onnx file.",
    ),
]
ArtifactArgument = Annotated[Path, typer.Argument(metavar="ARTIFACT", help="A compiled artifact.")]
WeightsOption = Annotated[Path | None, typer.Option(metavar="FILE", help="A state dict: .safetensors or .pt.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ProviderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        help="OpenVINO, or an execution provider of ONNX Runtime, as CUDAExecutionProvider; once for each, best first. "
        "Of TorchScript: cuda.",
    ),
]
