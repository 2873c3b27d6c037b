"""What is done about anomalies, and undone where it did not help."""
