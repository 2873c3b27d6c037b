"""Tasks, one file each with `build() -> Task`. To add one, add a file: its name is the task's."""
