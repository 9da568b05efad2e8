"""What becomes of artifacts that somebody changed, by accident or not."""
