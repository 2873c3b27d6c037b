"""Where anomalies are told: the log, a webhook, a mailbox."""
