"""The command line: one module a verb. It registers and presents; the other packages do the work."""
