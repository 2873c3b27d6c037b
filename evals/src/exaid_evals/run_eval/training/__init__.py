"""Training of small models, with an evaluation after each epoch and the folder of a run that `export` reads."""
