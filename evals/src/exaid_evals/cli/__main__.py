"""`python -m exaid_evals.cli` is `exaid-evals`."""

from exaid_evals.cli.main import main

main()
