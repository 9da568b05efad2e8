"""The version, said once: packaging, the metadata of artifacts and ``fgcompile --version`` read it here."""

__version__ = "0.1.0"
