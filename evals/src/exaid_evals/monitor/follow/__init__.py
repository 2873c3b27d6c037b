"""Histories that another process writes, as they grow."""
