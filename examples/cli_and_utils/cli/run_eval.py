"""`python -m cli.run_eval --config FILE`."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("run-eval")
