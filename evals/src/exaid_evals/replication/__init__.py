"""The published EXAIM evaluation: its files read, its numbers recomputed, its conclusions tested."""
