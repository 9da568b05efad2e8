"""Measurements on disk, a line of JSON each, so that a sweep can be stopped and goes on where it was."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness.environment import machine, today, versions
from benchmarks.latency.measurement import Figures

PACKAGES = (
    "torch",
    "torchvision",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "onnxruntime-gpu",
    "openvino",
    "grad-cam",
    "onnx-ad",
    "captum",
)
"""Whose versions are kept beside each measurement."""

Subject = dict[str, Any]
"""What was measured: the model, the batch and whatever else tells one measurement of a benchmark from another."""


@dataclass(frozen=True)
class Record:
    """A measurement.

    Attributes:
        subject: What was measured.
        figures: Of each candidate, see ``benchmarks.measurement.Figures``.
        machine: Where.
        versions: With which versions.
        date: When.
    """

    subject: Subject
    figures: dict[str, Figures]
    machine: str
    versions: str
    date: str


def make_record(subject: Subject, figures: dict[str, Figures], device: str = "cpu") -> Record:
    """A record of what was measured just now on this machine."""
    return Record(subject, figures, describe_machine(device), versions(PACKAGES), today())


def describe_machine(device: str) -> str:
    """The processor, and the GPU if that was measured."""
    return f"{machine()}, {torch.cuda.get_device_name()}" if device == "cuda" else machine()


def append_record(path: Path, record: Record) -> None:
    """Adds a record to a file, which is made if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps(asdict(record)) + "\n")


def read_records(path: Path) -> list[Record]:
    """The last record of each subject on each machine, in the order in which they were first measured."""
    lines = path.read_text().splitlines() if path.exists() else []
    records = [Record(**json.loads(line)) for line in lines]
    return list({(json.dumps(record.subject), record.machine): record for record in records}.values())


def find_record(records: Iterable[Record], subject: Subject, device: str = "cpu") -> Record | None:
    """The record of a subject on this machine with these versions."""
    here = (describe_machine(device), versions(PACKAGES))
    return next((r for r in records if r.subject == subject and (r.machine, r.versions) == here), None)


def describe_records(records: Iterable[Record], command: str) -> str:
    """The facts that stand above a report: where, with what, when and how its records were made."""
    kept = list(records)
    facts = {
        "machine": [record.machine for record in kept],
        "versions": [record.versions for record in kept],
        "date": [record.date for record in kept],
    }
    lines = [f"- {key}: {'; '.join(dict.fromkeys(values))}" for key, values in facts.items()]
    return "\n".join([*lines, f"- command: `{command}`"])
