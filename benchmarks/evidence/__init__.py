"""The paper's two quantitative tests: subjects, methods, what is removed, and what that does to a network's output."""
