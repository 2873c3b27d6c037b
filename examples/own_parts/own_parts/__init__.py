"""A part of each kind, for `exaid-evals` to find."""
