"""Artifacts in OpenVINO: the backend, the forms in which it is fast and right, and what it is held to."""
