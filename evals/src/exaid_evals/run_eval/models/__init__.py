"""Small models and baselines, one file each with `build(task, **settings) -> nn.Module`. To add one, add a file."""
