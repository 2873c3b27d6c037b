"""Analyse one run of any experiment: what went wrong, when and why."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("analyze")
