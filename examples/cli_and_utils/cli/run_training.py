"""`python -m cli.run_training --config configs/example_train_vision.json`."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("run-training")
