"""The command line: one module a verb. It registers and presents; the rooms do the work."""
