"""A summarizer of one's own, compared with a variant in one call."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from exaid_evals.api.campaign import OpenCampaign, open_campaign
from exaid_evals.api.replays import own_variant, replay_campaign
from exaid_evals.config.variant import load_variants

if TYPE_CHECKING:
    import pandas as pd


def evaluate(
    summarizer: Any,
    traces: str | os.PathLike[str] | OpenCampaign,
    *,
    against: str = "V3",
    cases: Sequence[str] | None = None,
    name: str | None = None,
    stub: bool | None = None,
) -> pd.DataFrame:
    """Compare a summarizer of one's own with a variant, over the same frozen traces.

    Both are replayed in memory, behind the gate and the trigger of that variant, and measured with the same extractor;
    no file is written.

    Args:
        summarizer: a function `(text, history) -> text`, or `-> mapping` of the six fields, where `text` is what was
            said since the last update, one line a message, and `history` the earlier updates, oldest first; an object
            with `summarize(request) -> Update`; or a class of such objects, built with `(settings, client)`.
        traces: a campaign, or its folder.
        against: the variant to compare with.
        cases: ids of the cases wanted; None means all.
        name: what to call the summarizer; None takes its own.
        stub: simulate the language model; None does so where the traces are simulated.

    Returns:
        A row per measure: `mean` and `mean_against`, the paired `mean_difference` with its 95 % bootstrap interval
        over cases, Wilcoxon and Holm-adjusted p, rank-biserial effect, n and smallest detectable difference. `attrs`
        hold `stub`.

    Raises:
        ConfigError: the variant is unknown, or the summarizer is none of these.
        CaseFailedError: the summarizer raised, or gave back what it should not; names the case.
    """
    from exaid_evals.api.frames import comparisons_frame
    from exaid_evals.metrics.comparison_stage import compared_measures
    from exaid_evals.metrics.comparisons import Compared, compare

    campaign = traces if isinstance(traces, OpenCampaign) else open_campaign(traces)
    base = load_variants(campaign.configs / "variants", [against])[0]
    mine = replay_campaign(campaign, own_variant(summarizer, base, name), cases=cases, stub=stub)
    other = replay_campaign(campaign, base, cases=cases, stub=stub)
    config = campaign.metrics_config
    sides = [Compared(one.variant.variant_id, one.cases(), "") for one in (mine, other)]
    better = compared_measures(config)
    found = compare([sides[0]], sides[1], better, config.bootstrap, stub=mine.stub or other.stub, signature="")
    frame = comparisons_frame(found)
    means = [one.measures().groupby("measure")["value"].mean() for one in (mine, other)]
    frame.insert(3, "mean", frame["measure"].map(means[0]))
    frame.insert(4, "mean_against", frame["measure"].map(means[1]))
    frame.attrs = {"stub": mine.stub or other.stub}
    return frame
