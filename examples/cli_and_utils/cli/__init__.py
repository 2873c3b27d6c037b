"""The commands of a project that trains and evaluates with this package."""
