"""Checks of records on disk: against their schemas, each other, their names and the campaign they lie in."""
