"""Importers: conversations of other systems, read as traces. One file per format."""
