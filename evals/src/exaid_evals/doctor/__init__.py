"""What the pipeline finds on this machine: checks that only look, and say what to do."""
