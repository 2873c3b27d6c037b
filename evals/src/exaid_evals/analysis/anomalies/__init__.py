"""What is wrong with a series: one detector a file."""
