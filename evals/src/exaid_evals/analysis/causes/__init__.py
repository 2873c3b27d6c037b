"""Why it happened: hypotheses, one family a file, each with what speaks for and against it."""
