"""One family of measures a file. `exaid_evals.metrics.registry` names them."""
