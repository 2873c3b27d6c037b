"""Check records: stage 00 of the pipeline."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("validate")
