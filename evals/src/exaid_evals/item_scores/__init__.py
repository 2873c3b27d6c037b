"""Scores per item, of the logs that evaluation tools write: two systems compared on the items they share."""
