"""Freeze traces: stage 01 of the pipeline."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("make-traces")
