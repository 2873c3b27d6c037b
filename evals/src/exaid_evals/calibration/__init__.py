"""Choosing the token gate's limits on traces of cases that are not evaluated."""
