"""Artifacts behind the KServe SDK: the Open Inference Protocol over REST and gRPC."""
