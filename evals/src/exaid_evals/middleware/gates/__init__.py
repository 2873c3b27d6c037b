"""Gates: when a chunk of the stream leaves the buffer."""
