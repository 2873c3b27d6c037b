"""Stage 02: what is run, what is skipped, and that it is the same however it is run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.resources import configs_dir
from exaid_evals.config.summarizer import StubLLMConfig, SummarizerConfig
from exaid_evals.config.variant import load_variants
from exaid_evals.errors import ConfigError, FrozenError
from exaid_evals.replay.run_log import read_run
from exaid_evals.replay.stage import Outcome, Settings, check_parts, plan_runs, run_variants
from requested import changed

CONVERSATIONS = [
    conversation("A boy with FEVER and SEIZURES.", "Likely MEASLES.", "I agree.", case_id="case-1"),
    conversation("A girl with HEPATOMEGALY.", "GAUCHER is likely. We should order an MRI.", case_id="case-2"),
    failed_conversation("case-3"),
]


TOY = StubLLMConfig(concepts="conversations:build_words")


def settings(**changes: Any) -> Settings:
    """Return settings for all variants with a toy reader."""
    variants = load_variants(configs_dir() / "variants")
    return changed(Settings(variants, SummarizerConfig(stub=TOY), frozenset()), **changes)


def do(campaign: Campaign, wanted: Settings) -> Outcome:
    """Plan and run."""
    return run_variants(campaign, wanted, plan_runs(campaign, wanted), on_case=lambda _: None)


def files(campaign: Campaign) -> dict[str, bytes]:
    """Return every file of a campaign but the traces."""
    paths = sorted(path for path in campaign.root.rglob("*") if path.is_file() and "traces" not in path.parts)
    return {path.relative_to(campaign.root).as_posix(): path.read_bytes() for path in paths}


def test_every_case_has_a_log_under_every_variant(tmp_path: Path) -> None:
    """Three cases and five variants make 15 logs; a failed trace's holds run_meta alone and says so."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    outcome = do(campaign, settings())
    assert (outcome.written, outcome.skipped, outcome.failed) == (15, ("case-3",), {})
    failed = read_run(campaign.run_file("V3", "case-3"))
    assert (failed.meta["status"], failed.flushes, failed.summaries) == ("skipped_failed_trace", (), ())
    baseline = read_run(campaign.run_file("V0", "case-1"))
    assert [item.semantics_text for item in baseline.summaries] == [m.content for m in CONVERSATIONS[0].messages]


@pytest.mark.slow
def test_the_same_bytes_for_any_number_of_jobs(tmp_path: Path) -> None:
    """One process or two, in one go or variant by variant: the same files with the same bytes."""
    conversations = CONVERSATIONS + [
        conversation("More FEVER.", f"COUGH {number}", case_id=f"case-more{number}") for number in range(5)
    ]
    alone, together = freeze(tmp_path / "a", conversations), freeze(tmp_path / "b", conversations)
    do(alone, settings())
    for name in ("V4", "V0", "V2", "V1", "V3"):
        do(together, settings(variants=load_variants(configs_dir() / "variants", [name]), jobs=2))
    assert files(together) == files(alone)


def test_finished_cases_are_not_run_again(tmp_path: Path) -> None:
    """A second call writes nothing; force writes all; a lost or tampered log is made again, and only that."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    before = files(campaign)
    assert do(campaign, settings()) == Outcome(written=0, current=15, skipped=("case-3",))
    campaign.run_file("V1", "case-1").unlink()
    campaign.run_file("V2", "case-2").write_bytes(campaign.run_file("V2", "case-1").read_bytes())
    assert do(campaign, settings()) == Outcome(written=2, current=13, skipped=("case-3",))
    assert do(campaign, settings(force=True)).written == 15
    assert files(campaign) == before


def test_a_changed_input_makes_logs_stale(tmp_path: Path) -> None:
    """Another setting of the model runs everything again."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    other = SummarizerConfig(stub=TOY.model_copy(update={"min_new_concepts": 2}))
    assert do(campaign, settings(summarizer=other)).written == 15


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    """What was finished before an interruption is kept, and the result is that of an uninterrupted run."""
    whole, cut = freeze(tmp_path / "a", CONVERSATIONS), freeze(tmp_path / "b", CONVERSATIONS)
    do(whole, settings())

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_variants(cut, settings(), plan_runs(cut, settings()), on_case=interrupt)
    assert do(cut, settings()) == Outcome(written=10, current=5, skipped=("case-3",))
    assert files(cut) == files(whole)


def test_changed_traces_are_refused_by_name(tmp_path: Path) -> None:
    """Nothing is replayed over traces that are not what was frozen."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    campaign.trace_file("case-2").write_bytes(campaign.trace_file("case-1").read_bytes())
    with pytest.raises(FrozenError, match=r"case-2\.jsonl\.gz"):
        plan_runs(campaign, settings())


def test_a_trace_that_cannot_be_replayed_fails_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen trace whose stream does not add up is one failed case with file and line; the others go on."""
    monkeypatch.setattr("exaid_evals.traces.freeze._unfit", lambda _: ())  # as an older release would have frozen it
    bad = conversation("A boy with FEVER.", case_id="case-bad")
    bad = replace(bad, messages=(replace(bad.messages[0], stream=((0, 3),)),))
    outcome = do(freeze(tmp_path, [*CONVERSATIONS, bad]), settings())
    assert outcome.written == 15
    assert list(outcome.failed) == ["case-bad"]
    assert "case-bad.jsonl.gz:1: the stream's chunks have 3 characters" in str(outcome.failed["case-bad"])


def test_an_unknown_case_is_refused(tmp_path: Path) -> None:
    """A case that was never frozen is an error that names it."""
    with pytest.raises(ConfigError, match="no case is called case-9"):
        plan_runs(freeze(tmp_path, CONVERSATIONS), settings(cases=["case-1", "case-9"]))


def test_limit_and_cases_choose(tmp_path: Path) -> None:
    """The limit takes the first cases; a list takes those."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    assert [work.entry.case_id for work in plan_runs(campaign, settings(limit=1)).work] == ["case-1"]
    assert [work.entry.case_id for work in plan_runs(campaign, settings(cases=["case-2"])).work] == ["case-2"]


def test_logs_of_cases_that_left_the_data_set_go(tmp_path: Path) -> None:
    """After a new freeze with fewer cases no log of the old ones stays behind; a stranger's file does."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    stranger = campaign.run_file("V0", "case-9")
    stranger.write_bytes(b"")
    campaign.trace_file("case-2").unlink()
    do(freeze(tmp_path, [CONVERSATIONS[0], CONVERSATIONS[2]]), settings())
    names = sorted(path.name for path in (campaign.runs / "V0").iterdir())
    assert names == ["case-1.jsonl.gz", "case-3.jsonl.gz", stranger.name]


def test_parts_are_checked_before_anything_runs() -> None:
    """Every wrong part of every variant is reported at once."""
    variants = [
        variant.model_copy(update={"gate": variant.gate.model_copy(update={"kind": "nonsense"})})
        for variant in load_variants(configs_dir() / "variants", ["V1", "V3"])
    ]
    with pytest.raises(ConfigError, match=r"(?s)2 problems.*V1: gate.*V3: gate"):
        check_parts(settings(variants=variants))
