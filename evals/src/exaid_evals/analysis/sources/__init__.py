"""Where histories come from: one reader a file. `exaid_evals.analysis.sources.registry` names them."""
