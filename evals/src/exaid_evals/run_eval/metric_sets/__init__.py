"""Metric sets, one file per modality. To add one, add a file: its name is the modality."""
