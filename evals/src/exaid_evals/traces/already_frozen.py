"""What is frozen in a campaign already, against what is planned there."""

from __future__ import annotations

from exaid_evals.artifacts.manifest import Manifest
from exaid_evals.artifacts.printable import printable
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import FrozenError
from exaid_evals.traces.freeze import TRACE_PATTERN, verify_frozen

LEDGER = "make-traces.jsonl"


def frozen_already(campaign: Campaign, planned: Manifest) -> Manifest | None:
    """Return the existing freeze if it is the planned one; None if nothing is frozen.

    Raises:
        FrozenError: other traces are frozen, or somebody else's lie there, or they differ from their manifest.
        DataError: the manifest is damaged.
    """
    if not campaign.manifest_file.exists():
        foreign = [path.name for path in sorted(campaign.traces.glob(TRACE_PATTERN))]
        if foreign and not (campaign.state / LEDGER).exists():
            raise FrozenError(
                f"holds {len(foreign)} traces that no manifest freezes and this stage did not make "
                f"({printable(', '.join(foreign[:3]))}{', …' if len(foreign) > 3 else ''})",
                where=str(campaign.traces),
                remedy="--force replaces them; another --data-dir leaves them alone",
            )
        return None
    remedy = "--force makes them again; another --data-dir leaves them alone"
    frozen = verify_frozen(campaign)
    differences = _differences(frozen, planned)
    if differences:
        what = f"other traces are frozen here: {'; '.join(differences)}"
        raise FrozenError(what, where=str(campaign.root), remedy=remedy)
    return frozen


def _differences(frozen: Manifest, planned: Manifest) -> list[str]:
    """Say in what two freezes differ, most telling first."""
    old, new = frozen.generation, planned.generation
    found = []
    if frozen.stub != planned.stub:
        found.append("stub or live")
    if old.case_source != new.case_source:
        found.append(f"cases of {old.case_source}, not {new.case_source}")
    elif old.ordered_case_list != new.ordered_case_list:
        found.append(f"{len(old.ordered_case_list)} cases, not these {len(new.ordered_case_list)}")
    elif old.case_content_hash != new.case_content_hash:
        found.append("the same cases with other texts")
    if old.generation_seed != new.generation_seed:
        found.append(f"generation seed {old.generation_seed}, not {new.generation_seed}")
    elif frozen.config_hash != planned.config_hash:
        found.append("another configuration")
    return found
