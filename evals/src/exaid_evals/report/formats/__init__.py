"""One form of a table a file. `exaid_evals.report.registry` names them."""
