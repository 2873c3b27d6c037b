"""What went wrong in a series: detectors for monitor and analysis alike, and those that need the whole run."""
