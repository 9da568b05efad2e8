"""Is the compiler right on a graphics card, and what does an explanation cost there?"""
