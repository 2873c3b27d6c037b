"""Detectors that see one value at a time."""
