"""Traces: the frozen talk of the agents. Model, stub generator and freeze."""
