"""Evaluate a model on a held-out set, whatever its modality."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("run-eval")
