"""The Python API: campaigns, replays and runs as pandas DataFrames. `exaid_evals` itself names what users call."""
