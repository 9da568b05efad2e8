"""Random small graphs from the operator families, as descriptions that can be printed, rebuilt and checked."""
