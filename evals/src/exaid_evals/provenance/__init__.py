"""Where a number comes from: from a table's cell back to records, run logs, traces and the definition."""
