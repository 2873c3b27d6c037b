"""Files that runs consist of: what several formats read alike, or one format needs a reader of its own for."""
