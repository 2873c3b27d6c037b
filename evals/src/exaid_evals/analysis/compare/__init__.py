"""Several runs held against each other: who is best, by how much, how certainly, and where they part."""
