"""Reproducible evaluation of summarizing middleware on multi-agent clinical discussions."""

__version__ = "0.2.0"
