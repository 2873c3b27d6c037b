"""Readers: each claims a format by looking at a folder."""
