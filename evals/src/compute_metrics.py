"""Compute metrics, tables and figures: stage 03 of the pipeline."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("compute-metrics")
