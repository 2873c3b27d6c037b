"""Runs of any tool: their names, configurations, results and histories."""
