"""Batches: how a training loop logs them, which of them carry a drop, and what tells them apart."""
