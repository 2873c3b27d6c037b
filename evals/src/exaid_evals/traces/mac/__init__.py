"""MAC as a source of traces: run as released, in a process of its own a case, observed and recorded, never changed."""
