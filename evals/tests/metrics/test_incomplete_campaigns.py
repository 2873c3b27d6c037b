"""Campaigns in which something is missing: each is measured, compared and reported all the same, and says so."""

from __future__ import annotations

import tracemalloc
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
from exaid_evals.cli.main import run
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import BootstrapConfig, ComparisonsConfig, ExtractorConfig, MetricsConfig
from exaid_evals.config.variant import StubLLMConfig, SummarizerConfig, VariantConfig
from exaid_evals.errors import DataError
from exaid_evals.metrics.records import CaseMetrics, read_case_ids, read_comparisons, read_variant_and_cases
from exaid_evals.metrics.stage import Settings, compute_metrics, plan_metrics
from exaid_evals.replay import stage as replay_stage
from exaid_evals.replay.run_log import read_run
from exaid_evals.report import stage
from exaid_evals.report.registry import FIGURES, FORMATS, TABLES, load
from exaid_evals.report.results import chosen_case, read_example, read_results
from exaid_evals.report.stage import build_tables, write_report
from exaid_evals.traces.model import Trace

CONVERSATIONS = [
    conversation("A boy with FEVER.", "Likely MEASLES.", case_id="case-1"),
    conversation("A girl with RASH.", "Likely GOUT.", case_id="case-2"),
    conversation("A man with COUGH.", "Likely FLU.", case_id="case-3"),
]
NO_CONCEPT = [conversation("nothing here.", "nor here.", case_id=f"case-{number}") for number in range(2)]
ONE_CONCEPT = [conversation("FEVER again.", "still FEVER.", case_id=f"case-{number}") for number in range(2)]


def variant(name: str, summarizer: str = "Copies", trigger: str = "always") -> VariantConfig:
    """Return a variant that flushes message by message."""
    kinds = {"gate": "message", "trigger": trigger, "summarizer": f"own_parts:{summarizer}"}
    return VariantConfig.model_validate(
        {"variant_id": name, "history_k": 0, **{part: {"kind": kind} for part, kind in kinds.items()}}
    )


NEVER = "own_parts:Holds"
CONFIG = MetricsConfig(
    extractor=ExtractorConfig(name="conversations:build_words"),
    bootstrap=BootstrapConfig(resamples=100),
    comparisons=ComparisonsConfig(measures=("coverage",)),
)


def replayed(
    root: Path, conversations: Sequence[Trace], *variants: VariantConfig
) -> tuple[Campaign, replay_stage.Outcome]:
    """Freeze conversations and run stage 02 over them."""
    campaign = freeze(root, conversations)
    summarizer = SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words"))
    settings = replay_stage.Settings(variants, summarizer, frozenset())
    plan = replay_stage.plan_runs(campaign, settings)
    return campaign, replay_stage.run_variants(campaign, settings, plan, on_case=lambda _: None)


def measured(campaign: Campaign) -> None:
    """Run stage 03 without its report."""
    settings = Settings(CONFIG, frozenset())
    compute_metrics(campaign, settings, plan_metrics(campaign, settings), on_case=lambda _: None)


def cases_of(campaign: Campaign, variant_id: str) -> dict[str, CaseMetrics]:
    """Return a variant's cases by id."""
    return {case.case_id: case for case in read_variant_and_cases(campaign.metrics_file(variant_id))[1]}


def test_a_case_that_fails_is_written_counted_and_left_out(tmp_path: Path) -> None:
    """Its log says why; its variant's means are over the others; a comparison leaves it out on both sides."""
    campaign, outcome = replayed(tmp_path, CONVERSATIONS, variant("V1", "RaisesOnRash"), variant("V3"))
    assert (outcome.written, list(outcome.failed)) == (6, ["case-2"])
    log = read_run(campaign.run_file("V1", "case-2"))
    assert (log.failed, log.flushes, log.summaries) == (True, (), ())
    assert "my own bug" in log.meta["failure_reason"]
    measured(campaign)
    failed, whole = (read_variant_and_cases(campaign.metrics_file(name))[0] for name in ("V1", "V3"))
    assert (failed.n_cases, failed.n_failed, list(failed.failed_runs)) == (3, 1, ["case-2"])
    assert (failed.measures["coverage"].n, failed.measures["coverage"].n_undefined) == (2, 0)
    assert (whole.n_failed, whole.measures["coverage"].n) == (0, 3)
    assert (cases_of(campaign, "V1")["case-2"].status, cases_of(campaign, "V3")["case-2"].status) == ("failed", "ok")
    [one] = read_comparisons(campaign.comparisons_file)
    assert (one.n, [(left.case_id, left.reason) for left in one.left_out]) == (2, [("case-2", "failed_run")])
    tables, _ = build_tables(read_results(campaign, ["V1", "V3"]), "V3")
    assert "1 of 3 failed and is left out (in the replay case-2) (V1)" in " ".join(tables["main"].notes)
    assert run(["validate", "--data-dir", str(campaign.root)]) == 0


def test_a_failed_case_is_tried_again_by_the_same_command(tmp_path: Path) -> None:
    """What failed is never current, and what did not is not made again."""
    campaign, _ = replayed(tmp_path, CONVERSATIONS, variant("V1", "RaisesOnRash"))
    summarizer = SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words"))
    settings = replay_stage.Settings([variant("V1", "RaisesOnRash")], summarizer, frozenset())
    plan = replay_stage.plan_runs(campaign, settings)
    assert ([work.entry.case_id for work in plan.work], plan.current) == (["case-2"], 2)


def test_a_log_of_a_failed_run_that_holds_more_is_refused(tmp_path: Path) -> None:
    """A reason without the status, a status without the reason, or events after either: each is damage."""
    campaign, _ = replayed(tmp_path, CONVERSATIONS[1:2], variant("V1", "RaisesOnRash"))
    path = campaign.run_file("V1", "case-2")
    [meta] = read_jsonl(path)
    write_jsonl(path, [{key: value for key, value in meta.items() if key != "failure_reason"}])
    with pytest.raises(DataError, match="failure_reason must say why"):
        read_run(path)


def test_many_broken_updates_are_reported_with_the_first_error(tmp_path: Path) -> None:
    """Over a tenth, by variant; a variant that keeps the schema is not named."""
    _, outcome = replayed(tmp_path, CONVERSATIONS, variant("V1", "Breaks"), variant("V3"))
    assert list(outcome.broken) == ["V1"]
    broken = outcome.broken["V1"]
    assert (broken.n, broken.of, broken.first) == (6, 6, "case-1: the model answered nonsense")


HARD: dict[str, tuple[Sequence[Trace], tuple[VariantConfig, ...]]] = {
    "no update": (CONVERSATIONS, (variant("V1", trigger=NEVER), variant("V3", trigger=NEVER))),
    "all updates broken": (CONVERSATIONS, (variant("V1", "Breaks"), variant("V3", "Breaks"))),
    "broken beside whole": (CONVERSATIONS, (variant("V1", "Breaks"), variant("V3"))),
    "every run failed": (CONVERSATIONS[1:2], (variant("V1", "RaisesOnRash"), variant("V3"))),
    "only failed runs": (CONVERSATIONS[1:2], (variant("V3", "RaisesOnRash"),)),
    "one case": (CONVERSATIONS[:1], (variant("V1"), variant("V3"))),
    "one variant": (CONVERSATIONS, (variant("V3"),)),
    "one concept": (ONE_CONCEPT, (variant("V1"), variant("V3"))),
    "no concept": (NO_CONCEPT, (variant("V1"), variant("V3"))),
    "no conversation": ([failed_conversation("case-1"), failed_conversation("case-2")], (variant("V1"), variant("V3"))),
}


@pytest.mark.parametrize("name", ["only failed runs", "no conversation"])
def test_where_nothing_was_measured_there_is_no_main_table(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The report is written all the same, and says why the table is missing."""
    conversations, variants = HARD[name]
    campaign, _ = replayed(tmp_path, conversations, *variants)
    measured(campaign)
    monkeypatch.setattr(stage, "_figure_files", lambda *_: {})  # drawn by the test below
    report = write_report(campaign, [one.variant_id for one in variants], primary="V3")
    assert report.main is None
    assert "no case was measured" in report.left_out["main"]
    assert report.written == report.files


@pytest.mark.parametrize("name", HARD)
def test_every_table_and_figure_is_made(tmp_path: Path, name: str) -> None:
    """Whatever is missing, stage 03 ends, and what it leaves out it names."""
    conversations, variants = HARD[name]
    campaign, _ = replayed(tmp_path, conversations, *variants)
    measured(campaign)
    names = [one.variant_id for one in variants]
    results = read_results(campaign, names)
    tables, left_out = build_tables(results, "V3")
    assert set(tables) | set(left_out) == set(TABLES)
    for form in FORMATS.values():
        assert all(load(form).render(table) for table in tables.values())
    chosen = chosen_case(campaign, names)
    assert (chosen is None) == (name in ("every run failed", "only failed runs", "no conversation"))
    if chosen is not None:
        results = replace(results, example=read_example(campaign, chosen[0], names, chosen[1]))
    for figure in (load(target) for key, target in FIGURES.items() if key != "timeline" or chosen is not None):
        assert figure.data_csv(results)
        assert figure.draw(results, "V3").axes
    assert run(["validate", "--data-dir", str(campaign.root)]) == 0


@pytest.mark.slow
def test_which_cases_a_file_covers_takes_no_memory_for_their_measures(tmp_path: Path) -> None:
    """Records are read one after the other: a campaign of many cases has long ones."""
    record = {"record_type": "case_metrics", "values": dict.fromkeys(map(str, range(500)), 0.5)}
    write_jsonl(tmp_path / "V0.metrics.jsonl", ({**record, "case_id": f"case-{i:04}"} for i in range(2_000)))
    tracemalloc.start()
    try:
        assert len(read_case_ids(tmp_path / "V0.metrics.jsonl")) == 2_000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    size = (tmp_path / "V0.metrics.jsonl").stat().st_size
    assert peak < size / 2, f"{peak:,} bytes for a file of {size:,}"
