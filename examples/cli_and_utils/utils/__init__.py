"""What the project's own modules import."""
