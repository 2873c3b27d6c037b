"""Work done on many items, in processes or threads: what comes out does not depend on where it was done."""
