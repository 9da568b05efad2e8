"""What is explained of networks that do not classify: scores for ``--target``, one number a sample."""

from torch import Tensor


def best(logits: Tensor) -> Tensor:
    """The most certain box, or character, of all: ``(N, …)`` to ``(N,)``."""
    return logits.flatten(1).amax(1)


def everywhere(logits: Tensor) -> Tensor:
    """The mean over all places."""
    return logits.flatten(1).mean(1)
