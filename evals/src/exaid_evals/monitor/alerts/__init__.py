"""Where anomalies are reported: the log, a webhook, a mailbox."""
