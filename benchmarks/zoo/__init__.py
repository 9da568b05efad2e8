"""Networks of torchvision, timm and transformers, and how far the compiler gets with each.

``models`` lists them, ``measure`` takes one through the stages, ``report`` writes the table; ``python -m
benchmarks.zoo`` runs them all.
"""
