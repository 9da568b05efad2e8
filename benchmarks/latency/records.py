"""What a line of ``results/latency.jsonl`` and of ``scaling.jsonl`` says: figures of candidates on one subject."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness.records import Figures, Store

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
        figures: Of each candidate, see ``benchmarks.latency.measurement``.
        machine: Where.
        versions: With which versions.
        date: When.
    """

    subject: Subject
    figures: dict[str, Figures]
    machine: str
    versions: str
    date: str


def append_record(path: Path, subject: Subject, figures: dict[str, Figures], device: str = "cpu") -> None:
    """Adds a measurement that was made just now."""
    _store(path).append({"subject": subject, "figures": figures}, device)


def read_records(path: Path) -> list[Record]:
    """The last record of each subject on each machine, in the order in which they were first measured."""
    return [Record(**result) for result in _store(path).read()]


def find_record(path: Path, subject: Subject, device: str = "cpu") -> Record | None:
    """The record of a subject on this machine with these versions."""
    return next((Record(**r) for r in _store(path).current(device) if r["subject"] == subject), None)


def _store(path: Path) -> Store:
    return Store(path, ("subject", "machine"), PACKAGES)
