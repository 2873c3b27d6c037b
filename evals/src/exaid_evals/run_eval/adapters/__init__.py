"""Adapters: how models of different libraries are called. To add one, add a class, and a line in registry.py."""
