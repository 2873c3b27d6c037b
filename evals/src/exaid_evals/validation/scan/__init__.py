"""From what a user names to findings: which files are meant, and what each of them holds."""
