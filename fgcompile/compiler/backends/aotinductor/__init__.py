"""Stage 9: ``.pt2`` packages, and the passes that only Inductor needs."""
