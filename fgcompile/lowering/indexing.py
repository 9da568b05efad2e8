"""stub"""
import torch
from typing import Any
from collections.abc import Callable
DECOMPOSITIONS: dict[torch._ops.OpOverload, Callable[..., Any]] = {}
