"""The private names of PyTorch that running an artifact takes: the readers of packages that hold several models.

``torch._inductor.aoti_load_package``, which is documented, loads the one that is called ``model``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch.torch_version import TorchVersion

FOLDERS = TorchVersion(torch.__version__) >= "2.13"
"""Whether PyTorch reads packages that are unpacked already."""


def load_models(path: str) -> Mapping[str, Callable[..., Sequence[torch.Tensor]]]:
    """The models of a package by name (PyTorch 2.11 to 2.13). They are unpacked into a folder that goes with them.

    Raises:
        RuntimeError: PyTorch's own, of a package that it cannot read or run.
    """
    from torch.export.pt2_archive._package import load_pt2

    return load_pt2(path).aoti_runners


def load_unpacked(folder: str, names: Iterable[str]) -> Mapping[str, Callable[..., Sequence[torch.Tensor]]]:
    """The models of these names of a package that was unpacked into a folder (from PyTorch 2.13 on).

    Raises:
        RuntimeError: PyTorch's own, of a package that it cannot read or run.
    """
    from torch.export.pt2_archive._package import _load_aoti

    one_thread, runners, any_device = False, 1, -1
    return {name: _load_aoti(folder, name, one_thread, runners, any_device) for name in names}


def read_facts(model: Callable[..., Sequence[torch.Tensor]]) -> Mapping[str, str]:
    """What was written into a model of a package when it was compiled (``aot_inductor.metadata``)."""
    facts: Mapping[str, str] = model.get_metadata()  # type: ignore[attr-defined]
    return facts
