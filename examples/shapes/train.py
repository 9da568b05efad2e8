"""Trains a network of this folder on one CPU core, says how good it is on pictures that it has not seen, and keeps it.

python -m examples.shapes.train retinanet | detr | unet [--minutes 8]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping

import safetensors.torch
import torch
import torch.nn.functional as F
from scipy.optimize import linear_sum_assignment
from torch import Tensor, nn

from examples.shapes.networks import NETWORKS, weights_of
from examples.shapes.scenes import CLASSES, Scenes, make_scenes

KEPT, BATCH = 4000, 32
"""Pictures, turned over at random in every pass."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m examples.shapes.train", description=__doc__)
    parser.add_argument("network", choices=NETWORKS)
    parser.add_argument("--minutes", type=float, default=8.0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, loss = NETWORKS[options.network](), LOSSES[options.network]
    train(model, loss, options.minutes)
    state = {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()}
    safetensors.torch.save_file(state, weights_of(options.network))
    test = make_scenes(400, torch.Generator().manual_seed(1))
    print(f"{options.network}: {QUALITIES[options.network](model.eval(), test)}")


def train(model: nn.Module, loss: Callable[..., Tensor], minutes: float) -> None:
    """As many steps as fit into the CPU time, at a rate that falls to nothing."""
    generator = torch.Generator().manual_seed(0)
    scenes = make_scenes(KEPT, generator)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-3)
    began, step = time.process_time(), 0
    while (gone := (time.process_time() - began) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 1.5e-3 * min(1.0, 20 * gone + 0.05) * (1 - gone)
        chosen = torch.randint(KEPT, (BATCH,), generator=generator)
        batch = _turned(Scenes(*(each[chosen] for each in vars(scenes).values())), step % 2 == 0)
        optimizer.zero_grad()
        value = loss(model(batch.images), batch)
        value.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        if step % 200 == 0:
            print(f"step {step} loss {value.item():.3f} {100 * gone:.0f} %", flush=True)


def _turned(scenes: Scenes, over: bool) -> Scenes:
    """The pictures mirrored, left for right."""
    if not over:
        return scenes
    boxes = torch.cat([1 - scenes.boxes[..., :1], scenes.boxes[..., 1:]], -1)
    return Scenes(scenes.images.flip(3), boxes, scenes.labels, scenes.regions.flip(2))


def corners(boxes: Tensor) -> Tensor:
    """Left, top, right and bottom of boxes that are centre, width and height."""
    return torch.cat([boxes[..., :2] - boxes[..., 2:] / 2, boxes[..., :2] + boxes[..., 2:] / 2], -1)


def overlaps(one: Tensor, other: Tensor) -> Tensor:
    """Intersection over union of each of ``(…, A, 4)`` with each of ``(…, B, 4)``."""
    a, b = corners(one).unsqueeze(-2), corners(other).unsqueeze(-3)
    sides = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0)
    both = sides.prod(-1)
    areas = [(each[..., 2:] - each[..., :2]).prod(-1) for each in (a, b)]
    return both / (areas[0] + areas[1] - both).clamp(min=1e-9)


def retinanet_loss(outputs: Mapping[str, Tensor], scenes: Scenes) -> Tensor:
    """Focal loss of classes, distance of boxes, of anchors by how much they overlap with a shape (Lin et al., 2017)."""
    anchors = ANCHORS.expand(len(scenes.images), -1, -1)
    overlap = overlaps(anchors, scenes.boxes).masked_fill((scenes.labels < 0).unsqueeze(1), 0)
    best, which = overlap.max(2)
    # Each shape has its nearest anchor, however little that overlaps.
    best = torch.where((overlap == overlap.amax(1, keepdim=True)).logical_and(overlap > 0).any(2), 1.0, best)
    positive, ignored = best >= 0.5, (best >= 0.4) & (best < 0.5)
    labels = scenes.labels.gather(1, which)
    wanted = F.one_hot(labels.clamp(min=0), len(CLASSES)) * positive.unsqueeze(-1)
    probability = outputs["logits"].sigmoid()
    cross = F.binary_cross_entropy_with_logits(outputs["logits"], wanted.float(), reduction="none")
    right = torch.where(wanted > 0, probability, 1 - probability)
    focal = torch.where(wanted > 0, 0.25, 0.75) * (1 - right).square() * cross
    count = positive.sum().clamp(min=1)
    boxes = scenes.boxes.gather(1, which.unsqueeze(-1).expand(-1, -1, 4))
    apart = ((outputs["boxes"] - boxes).abs().sum(-1) * positive).sum()
    return (focal * ~ignored.unsqueeze(-1)).sum() / count + 5 * apart / count


def detr_loss(outputs: Mapping[str, Tensor], scenes: Scenes) -> Tensor:
    """Cross-entropy and distance of the queries that fit the shapes best (Carion et al., 2020)."""
    logits, boxes = outputs["logits"], outputs["boxes"]
    probability, nothing = logits.detach().softmax(-1), len(CLASSES)
    wanted = torch.full(logits.shape[:2], nothing)
    apart, count = logits.new_zeros(()), 0
    for sample, labels in enumerate(scenes.labels):
        shapes = (labels >= 0).nonzero()[:, 0]
        own = scenes.boxes[sample, shapes]
        overlap = overlaps(boxes[sample].detach(), own)
        distance = torch.cdist(boxes[sample].detach(), own, p=1)
        cost = 5 * distance - 2 * overlap - probability[sample][:, labels[shapes]]
        queries, matched = linear_sum_assignment(cost.numpy())
        wanted[sample, queries] = labels[shapes[matched]]
        apart = apart + 5 * (boxes[sample, queries] - own[matched]).abs().sum()
        apart = apart + 2 * (1 - overlaps(boxes[sample], own)[queries, matched]).sum()
        count += len(shapes)
    weight = torch.ones(nothing + 1)
    weight[nothing] = 0.2
    return F.cross_entropy(logits.flatten(0, 1), wanted.flatten(), weight) + apart / count


def unet_loss(outputs: Tensor, scenes: Scenes) -> Tensor:
    """Cross-entropy of pixels."""
    return F.cross_entropy(outputs, scenes.regions)


@torch.no_grad()
def detection_quality(model: nn.Module, scenes: Scenes) -> str:
    """Shapes found: the class right, half of the union in common, among as many candidates as there are shapes."""
    outputs = model(scenes.images)
    logits = outputs["logits"]
    scores = logits.softmax(-1)[..., :-1] if logits.shape[-1] > len(CLASSES) else logits.sigmoid()
    found = total = 0
    for sample, labels in enumerate(scenes.labels):
        shapes = int((labels >= 0).sum())
        kept: list[tuple[int, int]] = []
        for place in scores[sample].flatten().argsort(descending=True).tolist():
            candidate, kind = divmod(place, len(CLASSES))
            box = outputs["boxes"][sample, candidate]
            taken = [outputs["boxes"][sample, other] for other, _ in kept]
            if not taken or overlaps(box[None], torch.stack(taken)).max() < 0.5:
                kept.append((candidate, kind))
            if len(kept) == shapes:
                break
        for candidate, kind in kept:
            overlap = overlaps(outputs["boxes"][sample, candidate][None], scenes.boxes[sample, :shapes])[0]
            found += int(overlap.max() >= 0.5 and labels[overlap.argmax()] == kind)
        total += shapes
    return f"{100 * found / total:.1f} % of {total} shapes found"


@torch.no_grad()
def segmentation_quality(model: nn.Module, scenes: Scenes) -> str:
    """The mean over classes of intersection over union."""
    predicted = torch.cat([model(part).argmax(1) for part in scenes.images.split(50)])
    shares = []
    for kind in range(1, len(CLASSES) + 1):
        one, other = predicted == kind, scenes.regions == kind
        shares.append(((one & other).sum() / (one | other).sum()).item())
    return f"intersection over union {sum(shares) / len(shares):.3f}"


ANCHORS = NETWORKS["retinanet"]().anchors
LOSSES: dict[str, Callable[..., Tensor]] = {"retinanet": retinanet_loss, "detr": detr_loss, "unet": unet_loss}
QUALITIES = {"retinanet": detection_quality, "detr": detection_quality, "unet": segmentation_quality}


if __name__ == "__main__":
    main()
