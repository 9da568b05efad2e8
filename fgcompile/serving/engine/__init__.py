"""What both listeners share: the models, what they may cost, and what is counted."""
