"""Families of measures, those of one thought in a file. `exaid_evals.metrics.registry` names them."""
