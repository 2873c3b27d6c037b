"""Experiments that went wrong: histories read, anomalies found, causes ranked, runs compared, images audited."""
