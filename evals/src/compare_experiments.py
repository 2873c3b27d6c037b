"""Compare runs of any experiments: which is best, how certainly, and where they part."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("compare")
