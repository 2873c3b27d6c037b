"""Traces: the frozen conversation of the agents. Model, stub generator and freeze."""
