"""The networks that benchmarks run on: architectures, their weights, artifacts that take photos."""
