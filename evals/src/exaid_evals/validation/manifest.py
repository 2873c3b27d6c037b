"""The manifest: what it says of itself, and of every frozen file."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from exaid_evals.artifacts.hashing import sha256_structure, sha256_text
from exaid_evals.config.campaign import Campaign
from exaid_evals.validation.base import FileCheck, Record

_REMEDY = "restore the traces; or discard them: `exaid-evals make-traces --force` makes all again"


class ManifestCheck(FileCheck):
    """Recomputes every id and hash that the manifest names, and holds it against the traces beside it.

    The formulas stand here a second time on purpose: a check that shares the writer's code shares its mistakes.
    """

    schema = "exaid.manifest"
    remedy = "restore the manifest; or discard the traces: `exaid-evals make-traces --force` makes all again"

    def record(self, line: int, record: Record) -> None:
        """Take the manifest's one record."""
        if line > 1:
            self.found(line, "a second record: a manifest has one", "keep the one that froze the traces")
            return
        self._selection(line, record["mas_generation_config"])
        if "traces" in record:
            self._listing(line, record)
            if self.path.parent.name == "manifests":
                self._files(line, record, Campaign(self.path.parent.parent))
        elif "trace_dataset_hash" in record:
            self.found(line, "trace_dataset_hash without traces")

    def _selection(self, line: int, config: dict[str, Any]) -> None:
        cases = config["ordered_case_list"]
        if cases != sorted(cases):
            self.found(line, "ordered_case_list is not sorted")
        if config["n_cases_selected"] != len(cases):
            what = f"n_cases_selected is {config['n_cases_selected']}, and ordered_case_list has {len(cases)}"
            self.found(line, what)
        if config["n_cases_selected"] > config["n_cases_available"]:
            self.found(line, "n_cases_selected exceeds n_cases_available")
        if config["case_list_hash"] != sha256_text(json.dumps(cases, sort_keys=True)):
            self.found(line, "case_list_hash is not the hash of ordered_case_list")
        identity = {"mac_commit": config["mac_commit"], "model": config["base_model"], "cases": cases}
        digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if config["mas_run_id"] != f"mas-{digest[:16]}":
            what = f"mas_run_id is {config['mas_run_id']}, and commit, model and cases make mas-{digest[:16]}"
            self.found(line, what)

    def _listing(self, line: int, record: Record) -> None:
        traces = record["traces"]
        if record.get("trace_dataset_hash") != sha256_structure(traces):
            self.found(line, "trace_dataset_hash is not the hash of traces")
        listed = [entry["case_id"] for entry in traces]
        if listed != record["mas_generation_config"]["ordered_case_list"]:
            self.found(line, "traces does not list the cases of ordered_case_list, each once and in its order")

    def _files(self, line: int, record: Record, campaign: Campaign) -> None:
        known = set()
        for entry in record["traces"]:
            path = campaign.trace_file(entry["case_id"])
            known.add(path.name)
            # The path is only compared, never opened: a hostile one leads out of the campaign.
            if entry["path"] != campaign.relative(path):
                what = (
                    f"the trace of {entry['case_id']} is listed as {entry['path']:.80}, not {campaign.relative(path)}"
                )
                self.found(line, what)
            elif not path.is_file():
                self.found(line, f"missing: {entry['path']}", _REMEDY)
            else:
                self._file(line, entry, campaign)
        if campaign.traces.is_dir():
            names = {path.name for path in campaign.traces.iterdir() if not path.name.startswith(".")}
            for name in sorted(names - known):
                self.found(line, f"extra, in no manifest: traces/{name}", _REMEDY)

    def _file(self, line: int, entry: dict[str, Any], campaign: Campaign) -> None:
        facts = self.surroundings.trace(campaign.trace_file(entry["case_id"]))
        if facts is None:
            self.found(line, f"damaged: {entry['path']} is not a sound trace", _REMEDY)
        elif facts.sha256 != entry["sha256"]:
            self.found(line, f"changed: {entry['path']} is not what was frozen", _REMEDY)
        else:
            for field in ("n_records", "text_units_ctu", "status"):
                actual = getattr(facts, field)
                if entry[field] != actual:
                    what = f"{field} of {entry['path']} is {entry[field]}, and the file has {actual}"
                    self.found(line, what)
