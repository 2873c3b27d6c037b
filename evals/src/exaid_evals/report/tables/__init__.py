"""One table a file. `exaid_evals.report.registry` names them."""
