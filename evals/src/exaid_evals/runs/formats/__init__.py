"""Formats of runs: one file each. `exaid_evals.runs.registry` names those that ship."""
