"""A table: what a clinician has to read. It is written beside the others wherever this package is installed."""

from exaid_evals.report.base import build_table, column

WHY_NOT = "it needs metrics of the volume of updates"


def build(results, primary):
    """Build the table of the variants' metrics; None where they were not measured."""
    if not all("output_ctu" in variant.measures for variant in results):
        return None
    columns = [column("update_count"), column("output_ctu"), column("compression")]
    return build_table("reading_load", "What there is to read", columns, results, primary)
