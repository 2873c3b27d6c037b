"""Stage 02: what is run, what is skipped, and that it is the same however it is run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.artifacts.ledger import read_part
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.request import Shard
from exaid_evals.config.variant import LLMConfig, StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.errors import ConfigError, FrozenError
from exaid_evals.replay import stage as module
from exaid_evals.replay.run_log import read_run
from exaid_evals.replay.stage import Outcome, Settings, part_problems, plan_runs, run_variants
from exaid_evals.replay.working import Broken, CaseDone
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
    assert (outcome.written, outcome.left) == (15, 0)
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
    first, second = part_problems(settings().summarizer, variants)
    assert "V1: gate" in str(first)
    assert "V3: gate" in str(second)


def test_a_plan_writes_nothing(tmp_path: Path) -> None:
    """Of a campaign that was never run nothing is made; half a line of its ledger may be another's, who is writing."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    plan = plan_runs(campaign, settings())
    assert (plan.current, len(plan.work), plan.part) == (0, 3, None)
    assert not campaign.state.exists()
    assert not campaign.runs.exists()
    do(campaign, settings())
    [ledger] = campaign.state.glob("*.jsonl")
    ledger.write_bytes(ledger.read_bytes() + b'{"half a line')
    before = files(campaign)
    assert plan_runs(campaign, settings()).current == 15
    assert files(campaign) == before


def test_running_some_cases_keeps_the_logs_of_the_others(tmp_path: Path) -> None:
    """What is not asked for is neither removed nor forgotten."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    before = files(campaign)
    assert do(campaign, settings(cases=["case-2"], force=True)).written == 5
    assert files(campaign) == before
    assert do(campaign, settings()) == Outcome(written=0, current=15, skipped=("case-3",))


def test_all_frozen_traces_are_checked_whichever_are_asked_for(tmp_path: Path) -> None:
    """A campaign is one thing; a part of a stage, whose folder may hold no others, checks its own."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    campaign.trace_file("case-2").unlink()
    with pytest.raises(FrozenError, match="case-2"):
        plan_runs(campaign, settings(limit=1))
    first = {"shard": Shard(1, 2), "into": tmp_path / "part"}
    plan = plan_runs(campaign, settings(**first))
    assert [entry.case_id for entry in plan.entries] == ["case-1", "case-3"]
    with pytest.raises(FrozenError, match="case-2"):
        plan_runs(campaign, settings(shard=Shard(2, 2), into=tmp_path / "other"))


def test_a_part_is_made_in_its_own_folder(tmp_path: Path) -> None:
    """Marked when whole, also where nothing is left to do; taken up again where it stopped; one part a folder."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    part = Campaign(tmp_path / "part")
    wanted = settings(shard=Shard(1, 2), into=part.root)
    assert do(campaign, wanted).written == 10
    assert not campaign.runs.exists()
    marked = read_part(part)
    assert marked is not None
    assert (marked.stage, marked.shard) == ("run-variants", Shard(1, 2))
    assert do(campaign, wanted) == Outcome(written=0, current=10, skipped=("case-3",))
    assert read_part(part) == marked
    part.run_file("V1", "case-1").unlink()
    plan = plan_runs(campaign, wanted)

    def interrupt(_: str) -> None:
        assert read_part(part) is None
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_variants(campaign, wanted, plan, on_case=interrupt)
    assert read_part(part) is None
    assert do(campaign, wanted).current == 10
    assert read_part(part) == marked
    with pytest.raises(ConfigError, match="holds part 1/2 of run-variants"):
        do(campaign, settings(shard=Shard(2, 2), into=part.root))
    other = plan_runs(campaign, settings(shard=Shard(2, 2), into=tmp_path / "other"))
    assert other.part is not None
    assert other.part.made_from == marked.made_from
    fewer = plan_runs(campaign, settings(shard=Shard(2, 2), into=tmp_path / "other", limit=2))
    assert fewer.part is not None
    assert fewer.part.made_from != marked.made_from
    # What the part no longer holds does not stay for the merge.
    do(campaign, settings(shard=Shard(1, 2), into=part.root, limit=2))
    assert [path.name for path in (part.runs / "V3").iterdir()] == ["case-1.jsonl.gz"]


def test_a_live_model_is_asked_by_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in parts, nor for workers that cannot ask it; and it says what to do instead."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-planted-0123456789")
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    live = SummarizerConfig(llm=LLMConfig(client="openai"), stub=TOY)
    with pytest.raises(ConfigError, match=r"^--shard: a live model is asked by one command.*leave it out"):
        plan_runs(campaign, settings(summarizer=live, shard=Shard(1, 2), into=tmp_path / "part"))
    with pytest.raises(
        ConfigError, match=r"^--cluster: its workers cannot ask this command.*`map_asking`.*leave it out"
    ):
        do(campaign, settings(summarizer=live, cluster="own_parts:one_process"))


def test_what_a_killed_stage_left_goes(tmp_path: Path) -> None:
    """Half-written run logs and ledgers do not stay, also where nothing is left to do."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    before = files(campaign)
    left = [folder / ".x.jsonl.gz.0123abcd.tmp" for folder in (campaign.state, campaign.runs / "V3")]
    for path in left:
        path.write_bytes(b"half")
    do(campaign, settings())
    assert files(campaign) == before


def test_a_changed_part_or_client_makes_logs_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of a part, of the client and of the reader counts, as do the variant's and the model's settings."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    stop = settings(stop_entities=frozenset({"FEVER"}))
    assert plan_runs(campaign, stop).current == 0
    [v3] = load_variants(configs_dir() / "variants", ["V3"])
    other = v3.model_copy(update={"gate": v3.gate.model_copy(update={"max_ctu": 77})})
    assert plan_runs(campaign, settings(variants=[v3])).current == 3
    assert plan_runs(campaign, settings(variants=[other])).current == 0
    with monkeypatch.context() as patch:
        patch.setattr(module, "part_sources", lambda _: {"gate": "changed"})
        assert plan_runs(campaign, settings()).current == 0
    with monkeypatch.context() as patch:
        patch.setattr(module, "extractor_source", lambda _: "changed")
        assert plan_runs(campaign, settings()).current == 0


def test_more_than_a_tenth_of_broken_updates_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of ten is not told, one of nine is, with the first in the order of the cases."""
    monkeypatch.setattr(
        module.Worker,
        "__call__",
        lambda _, work: CaseDone(
            {"V0": "sha256:0", "V3": "sha256:1"},
            broken={
                "V0": Broken(1, 10, f"{work.entry.case_id}: no"),
                "V3": Broken(1, 9, f"{work.entry.case_id}: no"),
            },
        ),
    )
    campaign = freeze(tmp_path, CONVERSATIONS[:2])
    wanted = settings(variants=load_variants(configs_dir() / "variants", ["V0", "V3"]))
    monkeypatch.setattr(module.Ledger, "record", lambda *_: None)
    assert do(campaign, wanted).broken == {"V3": Broken(2, 18, "case-1: no")}


def test_a_ledger_chooses_run_logs_alone(tmp_path: Path) -> None:
    """A key that names no variant's case is forgotten, and no file is removed for it."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    do(campaign, settings())
    stranger = campaign.runs / "gone.jsonl.gz"
    stranger.write_bytes(b"")
    [ledger] = campaign.state.glob("*.jsonl")
    line = json.dumps({"inputs": "sha256:0", "key": "gone", "output": "sha256:0"}) + "\n"
    ledger.write_text(ledger.read_text(encoding="utf-8") + line, encoding="utf-8")
    do(campaign, settings())
    assert stranger.exists()
    assert "gone" not in ledger.read_text(encoding="utf-8")
