"""Clients that nobody should have, drawn at random: what they send over REST, gRPC and bare sockets, and how slowly."""
