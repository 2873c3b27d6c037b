"""Stage 03: what is measured, what is skipped, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from conversations import conversation, failed_conversation, freeze
from exaid_evals.artifacts.hashing import sha256_file
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import Campaign, configs_dir
from exaid_evals.config.metrics import BootstrapConfig, ComparisonsConfig, ExtractorConfig, MetricsConfig
from exaid_evals.config.requests import RunsRequest
from exaid_evals.config.variant import StreamConfig, StubLLMConfig, SummarizerConfig, load_variants
from exaid_evals.errors import ConfigError, DataError, FrozenError
from exaid_evals.files import natural_order
from exaid_evals.metrics import records
from exaid_evals.metrics.comparison_stage import ComparisonReport
from exaid_evals.metrics.records import read_comparisons, read_variant
from exaid_evals.metrics.stage import Plan, Settings, compute_metrics, plan_metrics
from exaid_evals.replay import stage as replay_stage
from requested import changed

CONVERSATIONS = [
    conversation("A boy with FEVER and SEIZURES.", "Likely MEASLES.", "I agree.", case_id="case-1"),
    conversation("A girl with HEPATOMEGALY.", "GAUCHER is likely. We should order an MRI.", case_id="case-2"),
    failed_conversation("case-3"),
    *(
        conversation(f"A woman with {name}.", f"{name} may be GOUT.", case_id=f"case-{name.lower()}")
        for name in ("ABC", "DEF", "GHI", "JKL", "MNO")
    ),
]
TOY = SummarizerConfig(stub=StubLLMConfig(concepts="conversations:build_words"))
CONFIG = MetricsConfig(
    extractor=ExtractorConfig(name="conversations:build_words"), bootstrap=BootstrapConfig(resamples=200)
)


@pytest.fixture
def campaign(tmp_path: Path) -> Campaign:
    """Return a campaign of eight cases, one of which failed, under V0 and V3."""
    campaign = freeze(tmp_path, CONVERSATIONS)
    replay(campaign, "V0", "V3")
    return campaign


def replay(
    campaign: Campaign, *variants: str, summarizer: SummarizerConfig = TOY, cases: list[str] | None = None
) -> None:
    """Run stage 02 with the toy reader."""
    wanted = replay_stage.Settings(
        variants=load_variants(configs_dir() / "variants", variants),
        summarizer=summarizer,
        stop_entities=frozenset(),
        request=RunsRequest(cases=None if cases is None else tuple(cases)),
    )
    plan = replay_stage.plan_runs(campaign, wanted)
    replay_stage.run_variants(campaign, wanted, plan, on_case=lambda _: None)


def measure(campaign: Campaign, **changes: object) -> Plan:
    """Plan and compute, and return what was planned."""
    settings = changed(Settings(CONFIG, frozenset()), **changes)
    plan = plan_metrics(campaign, settings)
    compute_metrics(campaign, settings, plan, on_case=lambda _: None)
    return plan


def compared(campaign: Campaign, **changes: object) -> ComparisonReport:
    """Plan and compute, and return what was compared."""
    settings = changed(Settings(CONFIG, frozenset()), **changes)
    return compute_metrics(campaign, settings, plan_metrics(campaign, settings), on_case=lambda _: None)


def contents(campaign: Campaign) -> dict[str, bytes]:
    """Return the metrics files by name."""
    return {path.name: path.read_bytes() for path in sorted(campaign.metrics.glob("*.jsonl"))}


def test_a_file_per_variant_with_its_cases_and_their_mean(campaign: Campaign) -> None:
    """Records stand by case id, the failed case among them without measures; the variant comes last."""
    measure(campaign)
    records = read_jsonl(campaign.metrics_file("V0"))
    assert [record.get("case_id") for record in records] == [*sorted(t.case_id for t in CONVERSATIONS), None]
    failed = next(record for record in records if record.get("case_id") == "case-3")
    assert (failed["status"], failed["measures"]) == ("skipped_failed_trace", {})
    last = records[-1]
    assert (last["record_type"], last["n_cases"], last["n_failed"], last["stub"]) == ("variant_metrics", 8, 1, True)
    assert last["measures"]["coverage"]["mean"] == 1
    assert len({record["signature"] for record in records}) == 1


def test_jobs_variants_and_order_change_no_byte(campaign: Campaign) -> None:
    """One process or two, all variants at once or one by one: the same bytes."""
    measure(campaign)
    expected = contents(campaign)
    measure(campaign, jobs=2, force=True)
    assert contents(campaign) == expected
    for path in campaign.metrics.glob("*.jsonl"):
        path.unlink()
    measure(campaign, variants=["V3"])
    measure(campaign, variants=["V0"])
    assert contents(campaign) == expected


def test_what_is_current_is_not_measured_again(campaign: Campaign) -> None:
    """Nothing changed: nothing stale. --force, a damaged output, another threshold: measured again."""
    assert measure(campaign).stale == ("V0", "V3")
    assert measure(campaign).stale == ()
    assert measure(campaign, force=True).stale == ("V0", "V3")
    campaign.metrics_file("V3").write_text("", encoding="utf-8")
    assert measure(campaign).stale == ("V3",)
    other = CONFIG.model_copy(update={"tau_list": (0.5,)})
    assert measure(campaign, config=other).stale == ("V0", "V3")


def test_what_a_killed_stage_left_of_measured_cases_goes(campaign: Campaign) -> None:
    """Killed behind its last table, it left cases on disk that the next command has no use for; others' stay."""
    measure(campaign)
    before = contents(campaign)
    left, of_another = campaign.state / "measured" / "V3.jsonl", campaign.state / "measured" / "V9.jsonl"
    left.parent.mkdir()
    for path in (left, of_another):
        path.write_text('{"inputs":"sha256:0"}\n', encoding="utf-8")
    assert measure(campaign).stale == ()
    assert not left.exists()
    of_another.unlink()
    measure(campaign)
    assert not left.parent.exists()
    assert contents(campaign) == before


def test_another_configuration_has_another_signature(campaign: Campaign) -> None:
    """Thresholds, variants and cases are all in the signature."""
    signatures = {str(measure(campaign).signature)}
    signatures.add(str(measure(campaign, config=CONFIG.model_copy(update={"tau_list": (0.5,)})).signature))
    signatures.add(str(measure(campaign, limit=2).signature))
    replay(campaign, "V4")
    signatures.add(str(measure(campaign).signature))
    assert len(signatures) == 4


def test_missing_runs_are_named_at_once(campaign: Campaign) -> None:
    """Every variant with missing runs is named with its cases, and so is the command that makes them."""
    campaign.run_file("V0", "case-1").unlink()
    campaign.run_file("V3", "case-1").unlink()
    campaign.run_file("V3", "case-abc").unlink()
    with pytest.raises(DataError) as caught:
        measure(campaign)
    assert "V0: 1 of 8 cases (case-1); V3: 2 of 8 cases (case-1, case-abc)" in str(caught.value)
    assert "exaid-evals run-variants V0 V3" in str(caught.value)
    assert measure(campaign, cases=["case-2"]).wanted == ("V0", "V3")


def test_absent_variants_and_cases_are_refused(campaign: Campaign, tmp_path: Path) -> None:
    """A variant without runs, a case without a trace, a campaign without runs: each is an error with a remedy."""
    with pytest.raises(ConfigError, match=r"no runs of V9.*run-variants V9.*there are runs of V0, V3"):
        measure(campaign, variants=["V9", "V3"])
    with pytest.raises(ConfigError, match="no case is called case-x among the frozen traces"):
        measure(campaign, cases=["case-x"])
    with pytest.raises(DataError, match="no runs here; run `exaid-evals run-variants`"):
        measure(freeze(tmp_path / "bare", CONVERSATIONS[:1]))


def test_runs_of_other_traces_are_refused(campaign: Campaign, tmp_path: Path) -> None:
    """Runs copied from a campaign with other traces are named with both hashes."""
    other = freeze(tmp_path / "other", CONVERSATIONS[:2])
    replay(other, "V3")
    campaign.run_file("V3", "case-1").write_bytes(other.run_file("V3", "case-1").read_bytes())
    with pytest.raises(DataError, match=r"case-1\.jsonl\.gz: replays traces sha256:\w+, while sha256:\w+ are frozen"):
        measure(campaign)


def test_runs_of_another_case_are_refused(campaign: Campaign) -> None:
    """A run log under another case's name is named, and nothing is written."""
    campaign.run_file("V3", "case-1").write_bytes(campaign.run_file("V3", "case-2").read_bytes())
    with pytest.raises(DataError, match=r"V3/case-1\.jsonl\.gz: was not made from this campaign's trace \(case_id"):
        measure(campaign)
    assert contents(campaign) == {}


def test_runs_of_two_configurations_are_refused(campaign: Campaign) -> None:
    """Half a variant replayed with other settings is not a variant."""
    replay(
        campaign, "V3", summarizer=TOY.model_copy(update={"stream": StreamConfig(chars_per_second=7)}), cases=["case-1"]
    )
    with pytest.raises(DataError, match="the runs of V3 were made with different configurations"):
        measure(campaign)


def test_a_changed_trace_is_refused(campaign: Campaign) -> None:
    """Traces are verified before anything is measured."""
    campaign.trace_file("case-1").write_bytes(campaign.trace_file("case-2").read_bytes())
    with pytest.raises(FrozenError, match="changed: traces/case-1"):
        measure(campaign)


def test_metrics_of_variants_that_are_gone_go_too_if_they_were_ours(campaign: Campaign) -> None:
    """V3's runs are deleted: its metrics go. A file that this stage did not write stays."""
    measure(campaign)
    foreign = campaign.metrics_file("mine")
    foreign.write_text("mine", encoding="utf-8")
    for path in (campaign.runs / "V3").iterdir():
        path.unlink()
    measure(campaign)
    assert sorted(contents(campaign)) == ["V0.metrics.jsonl", "mine.metrics.jsonl"]


def test_files_read_back_as_they_were_written(campaign: Campaign) -> None:
    """What the report package reads are the means of the cases' records."""
    measure(campaign)
    records = read_jsonl(campaign.metrics_file("V3"))
    values = [record["measures"]["coverage"] for record in records if record.get("status") == "ok"]
    estimate = read_variant(campaign.metrics_file("V3")).measures["coverage"]
    assert (estimate.n, estimate.mean) == (7, pytest.approx(sum(values) / len(values), abs=1e-6))


def test_a_truncated_file_is_refused(campaign: Campaign) -> None:
    """A metrics file without its last record is not read as if it were whole."""
    measure(campaign)
    path = campaign.metrics_file("V3")
    path.write_bytes(path.read_bytes().rsplit(b"\n", 2)[0] + b"\n")
    with pytest.raises(DataError, match="must end in variant_metrics"):
        read_variant(path)


def test_a_file_that_was_found_right_is_checked_again_once_it_has_changed(campaign: Campaign) -> None:
    """What a process knows of a file holds for those bytes alone, with the ledger that vouches for them and without."""
    measure(campaign)
    path = campaign.metrics_file("V3")
    known = read_variant(path)
    assert read_variant(path) is known
    path.write_bytes(path.read_bytes().replace(b'"n_cases":', b'"n_casez":'))
    for _ in range(2):
        with pytest.raises(DataError, match="n_cases"):
            read_variant(path)
        (campaign.state / "compute-metrics.jsonl").unlink(missing_ok=True)


def test_a_ledger_that_vouches_for_a_wrong_case_does_not_make_it_right(
    campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A campaign of others brings its own ledger: what it holds is checked whatever the ledger says."""
    measure(campaign)
    path, ledger = campaign.metrics_file("V0"), campaign.state / "compute-metrics.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    written = sha256_file(path)
    lines[1] = re.sub(rb'"coverage":[\d.]+', b'"coverage":"<b>"', lines[1], count=1)
    path.write_bytes(b"".join(lines))
    ledger.write_text(ledger.read_text(encoding="utf-8").replace(written, sha256_file(path)), encoding="utf-8")
    monkeypatch.setattr(records, "_right", {})
    with pytest.raises(DataError, match=r"V0\.metrics\.jsonl:2"):
        read_variant(path)


def test_variants_are_ordered_as_people_count() -> None:
    """V2 comes before V10."""
    assert sorted(["V10", "V2", "V1b", "a"], key=natural_order) == ["V1b", "V2", "V10", "a"]


AGAINST_V0 = CONFIG.model_copy(update={"comparisons": ComparisonsConfig(against="V0", measures=("coverage",))})


def test_variants_are_compared_with_the_primary_one(campaign: Campaign) -> None:
    """Each measure of the configuration once, signed as the metrics, with the failed case named."""
    report = compared(campaign)
    assert (report.against, report.compared, report.written) == ("V3", ("V0",), True)
    found = read_comparisons(campaign.comparisons_file)
    assert [one.measure for one in found] == list(report.measures)
    one = next(one for one in found if one.measure == "coverage")
    assert (one.variant_id, one.against, one.n, one.better) == ("V0", "V3", 7, "higher")
    assert [(left.case_id, left.reason) for left in one.left_out] == [("case-3", "failed_trace")]
    means = [read_variant(campaign.metrics_file(variant)) for variant in ("V0", "V3")]
    coverage = [variant.measures["coverage"].mean or 0 for variant in means]
    assert one.mean_difference == pytest.approx(coverage[0] - coverage[1], abs=2e-6)
    assert (one.signature, one.stub) == (means[0].signature, True)


def test_comparisons_are_made_again_only_when_they_must(campaign: Campaign) -> None:
    """Current: kept. Removed, changed, forced, another variant or measure: written."""
    assert compared(campaign).written
    assert not compared(campaign).written
    campaign.comparisons_file.unlink()
    assert compared(campaign).written
    campaign.comparisons_file.write_text("", encoding="utf-8")
    assert compared(campaign).written
    assert compared(campaign, force=True).written
    report = compared(campaign, config=AGAINST_V0)
    assert (report.written, report.against, report.compared, report.measures) == (True, "V0", ("V3",), ("coverage",))


def test_metrics_of_another_configuration_are_not_compared(campaign: Campaign) -> None:
    """V0 measured anew, V3 not: their signatures differ, so the comparisons go, and V3 is named."""
    compared(campaign)
    report = compared(campaign, config=AGAINST_V0, variants=["V0"])
    assert (report.compared, report.otherwise_made, report.against_measured) == ((), ("V3",), True)
    assert not campaign.comparisons_file.exists()
    assert compared(campaign, config=AGAINST_V0).compared == ("V3",)


def test_a_campaign_without_the_primary_variant_has_no_comparisons(tmp_path: Path) -> None:
    """One's own variants need no V3; a variant that is asked for by name must be there."""
    campaign = freeze(tmp_path, CONVERSATIONS[:2])
    replay(campaign, "V0", "V1")
    report = compared(campaign)
    assert (report.compared, report.against_measured, campaign.comparisons_file.exists()) == ((), False, False)
    other = CONFIG.model_copy(update={"comparisons": ComparisonsConfig(against="V4")})
    with pytest.raises(ConfigError, match=r"comparisons\.against: no runs of V4; run .*run-variants V4"):
        compared(campaign, config=other)


def test_a_variant_called_comparisons_is_refused(campaign: Campaign) -> None:
    """Its metrics would lie where the comparisons do."""
    (campaign.runs / "V0").rename(campaign.runs / "comparisons")
    with pytest.raises(ConfigError, match="a variant cannot be called comparisons"):
        plan_metrics(campaign, changed(Settings(CONFIG, frozenset()), cases=("case-1",)))


def test_metrics_with_other_cases_under_one_signature_are_refused(campaign: Campaign) -> None:
    """A case cut out of one file by hand is missed: by the ledger, and by the counts."""
    compared(campaign)
    path = campaign.metrics_file("V0")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[1:]))
    with pytest.raises(DataError, match=r"changed since.*--force"):
        compared(campaign, variants=["V3"])
    (campaign.state / "compute-metrics.jsonl").unlink()
    with pytest.raises(DataError, match=r"V0\.metrics\.jsonl:8: n_cases is 8, and the file has 7"):
        compared(campaign, variants=["V3"])
