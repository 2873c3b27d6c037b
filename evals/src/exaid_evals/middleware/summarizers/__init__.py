"""Summarizers: what is made of a window."""
