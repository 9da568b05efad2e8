"""What language models cost: memory and time of compiling them, and what an explanation adds to a call, by length."""
