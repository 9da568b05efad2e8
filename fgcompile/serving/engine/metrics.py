"""What Prometheus is told. The histograms have the names of the KServe SDK's, which dashboards and alerts know."""

from __future__ import annotations

import os

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

NO_MODEL = ""
"""The label of refusals that are of no model: names that clients make up are no labels."""

REFUSED = Counter("fgcompile_refused_requests", "Requests that were not answered, for a fault of theirs.", ["model"])
RESIDUAL = Histogram(
    "fgcompile_residual",
    "What the terms of an explanation miss its score by, relative to their magnitudes, per sample.",
    ["model"],
    buckets=[10.0**exponent for exponent in range(-8, 1)],
)
PREPROCESS = Histogram("request_preprocess_seconds", "Reading and checking a request.", ["model_name"])
PREDICT = Histogram("request_predict_seconds", "Running the model, with the time in the queue.", ["model_name"])
POSTPROCESS = Histogram("request_postprocess_seconds", "Writing an answer.", ["model_name"])


def exposition() -> bytes:
    """The metrics in Prometheus' text format: those of all processes, where several serve."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)
