"""`python -m exaid_evals` is `exaid-evals`."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main()
