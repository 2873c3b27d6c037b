"""Whether two campaigns hold the same: file by file, record by record, field by field."""
