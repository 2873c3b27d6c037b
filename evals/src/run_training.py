"""Train a small model and evaluate it after each epoch."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("run-training")
