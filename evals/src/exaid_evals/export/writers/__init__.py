"""Writers: one file of the export each."""
