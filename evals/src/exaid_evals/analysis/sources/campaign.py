"""This pipeline's campaigns: a run is a variant, a step is a case in the order of cases, a metric is a measure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from exaid_evals.analysis.history import History, series_of
from exaid_evals.analysis.sources.tabular import pick
from exaid_evals.artifacts.manifest import read_manifest
from exaid_evals.config.campaign import Campaign
from exaid_evals.metrics.records import OK, read_variant_and_cases
from exaid_evals.runs.metric_names import Direction

_SUFFIX = ".metrics.jsonl"


class CampaignSource:
    """Reads the measures of every case; a case that failed has no point, and is told of."""

    name = "campaign"

    def claims(self, place: Path) -> bool:
        """Tell whether the folder holds metrics of a campaign."""
        return bool(_files(place))

    def run_names(self, place: Path) -> Sequence[str]:
        """Return the variants."""
        return sorted(_files(place))

    def read(self, place: Path, run_name: str | None = None) -> History:
        """Read a variant.

        Raises:
            DataError: there is no such variant, or its metrics are malformed.
        """
        name, path = pick(_files(place), place, run_name)
        variant, cases = read_variant_and_cases(path)
        rows = [(float(at), case.measures) for at, case in enumerate(cases) if case.status == OK]
        left_out = [case.case_id for case in cases if case.status != OK]
        warnings = (
            [f"{len(left_out)} cases have no talk and no measures: {', '.join(left_out[:5])}"] if left_out else []
        )
        better = variant.made_from.better if variant.made_from else {}
        known: dict[str, Direction] = {
            measure: "higher" if way == "higher" else "lower"
            for measure, way in better.items()
            if way in ("higher", "lower")
        }
        manifest = Campaign(place).manifest_file
        config = {"variant": variant.variant_id, "signature": variant.signature, "stub": variant.stub}
        if manifest.is_file():
            config["dataset"] = read_manifest(manifest).trace_dataset_hash
        return History(
            name,
            self.name,
            series_of(rows),
            config=config,
            warnings=tuple(warnings),
            directions=known,
            steps_are="case",
        )


def _files(place: Path) -> dict[str, Path]:
    folder = Campaign(place).metrics
    if not folder.is_dir():
        return {}
    found = sorted(path for path in folder.iterdir() if path.name.endswith(_SUFFIX) and not path.name.startswith("."))
    return {path.name.removesuffix(_SUFFIX): path for path in found if not path.name.startswith("comparisons")}
