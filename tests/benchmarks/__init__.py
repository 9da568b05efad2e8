"""The benchmarks: harness, reports and bookkeeping; no speed is asserted."""
