"""What a text says against a reference and against what had been said: overlap, and support of each statement."""
