"""Consolidate runs: stage 04 of the pipeline."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("export")
