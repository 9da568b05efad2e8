"""Artifacts as models of NVIDIA's Triton Inference Server: what its model repository has to hold."""

from fgcompile.serving.triton.configuration import Deployment
from fgcompile.serving.triton.repository import write_models

__all__ = ["Deployment", "write_models"]
