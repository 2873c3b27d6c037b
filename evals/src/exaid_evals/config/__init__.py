"""A typed configuration per stage; precedence: command line, environment, file, default."""
