"""What the stages exchange, and what they ask of a graph."""
