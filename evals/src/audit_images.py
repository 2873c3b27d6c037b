"""Audit the images of a folder: what is damaged, blurred, turned or there twice."""

from exaid_evals.cli.main import main

if __name__ == "__main__":
    main("audit-images")
