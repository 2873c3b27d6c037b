"""Triggers: whether to summarise now."""
