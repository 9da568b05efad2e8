"""The same artifact in every way of serving: what it costs, and whether the numbers agree."""
