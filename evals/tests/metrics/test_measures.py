"""Every measure against its slow oracle, its docstring's example, and the bounds that must hold."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conversations import WordExtractor, conversation
from exaid_evals.cli.main import run as cli
from exaid_evals.concepts.base import Mention
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.errors import ConfigError
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.measures.coverage import coverage, coverage_at_budget, coverage_curve
from exaid_evals.metrics.measures.coverage_gold import coverage_gold, coverage_gold_at_budget
from exaid_evals.metrics.observation import Observation, Update
from exaid_evals.metrics.observe import observe_case
from exaid_evals.metrics.records import read_variant
from exaid_evals.metrics.registry import check_measures, load_measures
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, render
from exaid_evals.replay.clock import window_texts
from exaid_evals.replay.run_log import GateFlush, RunLog, Summary
from exaid_evals.traces.model import Trace
from oracles import measures as oracle
from oracles.labelled import labelled_runs
from oracles.random_runs import META, runs

SMALL = MetricsConfig(budget_list=(1, 3, 10), curve_step_ctu=2)
LAGS = ("", "_ctu", "_without_latency", "_ctu_without_latency")
DEFAULT_NAMES = {
    "update_count", "output_ctu", "trace_ctu", "compression", "ctu_saved",
    "trace_messages", "trace_concepts",
    "coverage", "concepts_told", "concepts_never_told", "anticipated",
    "coverage_at_250", "coverage_at_500", "coverage_at_1000", "coverage_at_2000", "coverage_auc",
    "redundancy_0.85", "redundancy_0.90", "redundancy_0.95",
    "jaccard_mean", "restated", "redundancy_text_0.85", "redundancy_text_0.90", "redundancy_text_0.95",
    "unsupported", "unsupported_per_update", "window_unsupported", "contract_unsupported",
    "time_to_first_update_ms", "concept_delay_ms_p50", "concept_delay_ms_p95",
    "concept_delay_km_p50", "concept_delay_rmst",
    *(f"lag_{kind}{rest}" for kind in ("al", "laal", "dal") for rest in LAGS),
    "silence_count", "silence_ms_total", "silence_ms_max", "updates_per_minute", "output_ctu_per_minute",
    "flush_count", "flush_ctu_p50", "flush_words_p50", "flush_interval_ms_p50", "flush_interval_ms_p95",
    *(f"flush_share_{reason}" for reason in oracle.REASONS),
    "latency_share_trigger", "latency_share_summarizer",
    "latency_ms_mean", "latency_ms_p50", "latency_ms_p95",
    "trigger_latency_ms_mean", "trigger_latency_ms_p50", "trigger_latency_ms_p95",
    "llm_calls", "prompt_ctu", "completion_ctu", "trigger_calls", "trigger_ctu",
    "schema_failure_rate",
    "coverage_gold", "coverage_error",
    "coverage_gold_at_250", "coverage_gold_at_500", "coverage_gold_at_1000", "coverage_gold_at_2000",
    "extractor_precision", "extractor_recall", "extractor_f1", "extractor_spurious", "extractor_unjudged",
    *(
        f"extractor_{score}_{kind}"
        for score in ("precision", "recall", "f1")
        for kind in ("canonical", "synonym", "inflected", "abbreviated")
    ),
    "extractor_specificity_negated", "extractor_specificity_near_miss",
    *(
        f"gold_mentions_{kind}"
        for kind in ("canonical", "synonym", "inflected", "abbreviated", "negated", "near_miss")
    ),
}  # fmt: skip


_NO_SHARES = ("compression", "ctu_saved", "coverage_error")


def observed(trace: Trace, log: RunLog) -> Observation:
    """Observe one run with the toy extractor."""
    return observe_case(trace, [log], WordExtractor())[0]


def measured(seen: Observation, config: MetricsConfig = SMALL) -> dict[str, float | None]:
    """Return every measure by name."""
    return {measure.name: measure.compute(seen) for measure in load_measures(config)}


def test_the_default_configuration_measures_what_the_design_lists() -> None:
    """Every name of the design's table, and no other."""
    assert {measure.name for measure in load_measures(MetricsConfig())} == DEFAULT_NAMES


def test_a_family_of_measures_goes_by_its_old_name_too() -> None:
    """`talk`, as the family of the conversation was once called, is that family; a configuration says its name now."""
    config = MetricsConfig.model_validate({"measures": ["talk", "decisive_step"]})
    check_measures(config)
    assert config.measures == ("conversation", "decisive_step")
    assert {measure.name for measure in load_measures(config)} > DEFAULT_NAMES


def test_every_measure_has_an_example() -> None:
    """A hand-worked one stands in its docstring, where docs/test_docstrings.py runs it."""
    assert [measure.name for measure in load_measures(SMALL) if ">>> " not in measure.definition] == []


def test_every_measure_of_the_registry_has_an_oracle() -> None:
    """A measure that no second implementation computes is a number that nobody has checked."""
    config = MetricsConfig()
    run = conversation("FEVER."), RunLog(META, (), (), ())
    known = oracle.measures(*run, budgets=config.budget_list, policy=config.budget_policy)
    assert known.keys() == {measure.name for measure in load_measures(config)}


@given(runs() | labelled_runs(), st.sampled_from(["cut", "whole_updates"]))
def test_every_measure_equals_its_oracle(run: tuple[Trace, RunLog], policy: str) -> None:
    """On random runs the measures and their second implementation agree, also about what is undefined."""
    config = MetricsConfig.model_validate(SMALL.model_dump() | {"budget_policy": policy})
    actual = measured(observed(*run), config)
    expected = oracle.measures(*run, budgets=config.budget_list, policy=policy)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert actual[name] == (value if value is None else pytest.approx(value, abs=1e-9)), name


def test_measures_of_labelled_conversations_equal_their_oracle() -> None:
    """What rests on gold labels agrees with its second implementation, on examples that define each of it somewhere."""
    resting = ("extractor_", "gold_mentions_", "coverage_gold", "coverage_error")
    defined: set[str] = set()
    undefined: set[str] = set()

    @given(labelled_runs())
    @settings(max_examples=200)
    def compare(run: tuple[Trace, RunLog]) -> None:
        actual = measured(observed(*run))
        for name, value in oracle.measures(*run, budgets=SMALL.budget_list).items():
            assert actual[name] == (value if value is None else pytest.approx(value, abs=1e-9)), name
            (undefined if value is None else defined).add(name)

    compare()
    assert {measure.name for measure in load_measures(SMALL) if measure.name.startswith(resting)} <= defined
    assert {"coverage_gold", "coverage_gold_at_3", "extractor_precision_synonym"} <= undefined


@given(labelled_runs())
def test_gold_labels_change_no_other_measure(run: tuple[Trace, RunLog]) -> None:
    """Without labels what rests on them is undefined, and everything else is as it is with them."""
    trace, log = run
    bare = replace(
        trace, messages=tuple(replace(one, gold_mentions=None, gold_concepts=None) for one in trace.messages)
    )
    labelled_names = ("extractor_", "gold_mentions_", "coverage_gold", "coverage_error")
    plain, full = measured(observed(bare, log)), measured(observed(trace, log))
    for name, value in plain.items():
        assert value == (None if name.startswith(labelled_names) else full[name]), name


@given(runs() | labelled_runs())
def test_shares_lie_between_0_and_1(run: tuple[Trace, RunLog]) -> None:
    """Every share but those of volume, and the difference of two, is a share; compression is above 0 or nothing."""
    seen = observed(*run)
    for measure in load_measures(SMALL):
        value = measure.compute(seen)
        if measure.unit == "share" and measure.name not in _NO_SHARES and value is not None:
            assert 0 <= value <= 1, measure.name
    found = measured(seen)
    assert (found["compression"] or 0) > 0 or not found["output_ctu"]
    error = found["coverage_error"]
    assert error is None or -1 <= error <= 1


@given(runs(), st.sampled_from(["cut", "whole_updates"]))
def test_coverage_never_falls_with_the_budget(run: tuple[Trace, RunLog], policy: str) -> None:
    """More to read never covers less, a cut covers no less than whole updates, and the area lies below the end."""
    seen = observed(*run)
    curve = coverage_curve(seen, range(40), policy)
    if curve[0] is None:
        assert set(curve) == {None}
        return
    values = [value for value in curve if value is not None]
    assert values == sorted(values)
    assert all(
        value >= (coverage_at_budget(seen, budget, "whole_updates") or 0) for budget, value in enumerate(values)
    ) or (policy == "whole_updates")
    area = measured(seen)["coverage_auc"]
    assert area is not None
    assert 0 <= area <= (coverage_at_budget(seen, 10) or 0)


@given(labelled_runs(), st.sampled_from(["cut", "whole_updates"]))
def test_gold_coverage_never_falls_with_the_budget(run: tuple[Trace, RunLog], policy: str) -> None:
    """More to read never covers fewer gold concepts, and never more than all that the updates keep."""
    seen = observed(*run)
    values = [coverage_gold_at_budget(seen, budget, policy) for budget in range(40)]
    known = [value for value in values if value is not None]
    assert known in ([], sorted(values, key=lambda value: value or 0))
    assert all(value <= (coverage_gold(seen) or 0) for value in known)


@pytest.mark.slow
@given(st.lists(labelled_runs(), min_size=2, max_size=4))
def test_the_order_of_cases_is_irrelevant(cases: list[tuple[Trace, RunLog]]) -> None:
    """One extractor and one set of measures give a case the same numbers, whatever was measured before it."""
    measures, extractor = load_measures(SMALL), WordExtractor()

    def numbers(case: tuple[Trace, RunLog]) -> list[float | None]:
        (seen,) = observe_case(case[0], [case[1]], extractor)
        return [measure.compute(seen) for measure in measures]

    assert [numbers(case) for case in cases] == [numbers(case) for case in reversed(cases)][::-1]


@given(runs())
def test_redundancy_never_rises_with_tau(run: tuple[Trace, RunLog]) -> None:
    """A stricter threshold finds no more repetition."""
    config = MetricsConfig(tau_list=(0.10, 0.35, 0.50, 0.85, 1.0))
    found = measured(observed(*run), config)
    for prefix in ("redundancy_", "redundancy_text_"):
        values = [found[f"{prefix}{tau:.2f}"] for tau in config.tau_list]
        assert values == [None] * 5 or values == sorted(values, reverse=True)


def passed_through(trace: Trace) -> RunLog:
    """Return V0's run: each message is a flush and an update."""
    flushes, updates = [], []
    for seq, message in enumerate(trace.messages):
        end = message.t_rel_ms + 10 * len(message.content)
        flushes.append(GateFlush(seq, end, seq, seq, 0, len(message.content), 0, 0, "message", ""))
        text = message.content
        updates.append(
            Summary(seq, f"u{seq}", end, seq, seq, (seq,), True, None, None, text, text, 0, None, (), None, 0)
        )
    return RunLog(META, tuple(flushes), (), tuple(updates))


@given(runs() | labelled_runs())
def test_the_baseline_keeps_all_and_invents_nothing(run: tuple[Trace, RunLog]) -> None:
    """V0, whose updates are the messages, has coverage 1, compression 1, and nothing unsupported anywhere."""
    trace, _ = run
    found = measured(observed(trace, passed_through(trace)))
    if found["coverage"] is not None:
        assert (found["coverage"], found["unsupported"]) == (1, 0)
        assert found["concept_delay_ms_p50"] == found["concept_delay_km_p50"] or found["concepts_told"] > 1  # type: ignore[operator]
        assert found["anticipated"] == 0
    if trace.messages[0].gold_mentions is not None:
        known = not any("II" in message.content for message in trace.messages)
        stated = any(message.gold_concepts for message in trace.messages)
        assert found["coverage_gold"] == (1 if known and stated else None)
        assert found["coverage_error"] in (0, None)
    if found["compression"] is not None:
        assert (found["compression"], found["ctu_saved"]) == (1, 0)
    assert (found["window_unsupported"], found["contract_unsupported"], found["llm_calls"]) == (0, 0, 0)


class EveryWord:
    """An extractor that finds a concept in every word, as a statistical one may in the names of agents."""

    id = "every-word-1"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find the words."""
        return [tuple(Mention(one.group().lower(), *one.span()) for one in re.finditer(r"\w+", text)) for text in texts]


@given(runs() | labelled_runs(), st.sampled_from(["cut", "whole_updates"]), st.sampled_from([EveryWord, WordExtractor]))
def test_reading_on_never_covers_less(
    run: tuple[Trace, RunLog], policy: str, extractor: type[EveryWord] | type[WordExtractor]
) -> None:
    """For every run, extractor and budget coverage_at_B ≤ coverage, and reading all covers all that is reported."""
    (seen,) = observe_case(run[0], [run[1]], extractor())
    whole = coverage(seen)
    values = [coverage_at_budget(seen, budget, policy) for budget in (0, 1, 2, 5, 10, 50, 10_000)]
    assert values[-1] == whole
    assert all((value is None) == (whole is None) and (value or 0) <= (whole or 0) for value in values)


def test_what_only_names_agents_is_no_concept_of_an_update() -> None:
    """`agent_contributions` takes room to read, and states nothing: coverage and coverage_at_B read the same text."""
    trace = conversation("Fever and rash.", ms_per_char=1)
    content = {**dict.fromkeys(FIELDS, "fever"), "agent_contributions": "rash"}
    semantics, rendered = render(content, SEMANTIC_FIELDS), render(content, FIELDS)
    flush = passed_through(trace).flushes
    update = Summary(0, "u0", 900, 0, 0, (0,), True, None, content, semantics, rendered, 99, None, (), None, 0)
    (seen,) = observe_case(trace, [RunLog(META, flush, (), (update,))], EveryWord())
    assert len(seen.trace_concepts) == 3
    assert [coverage(seen), coverage_at_budget(seen, 10_000)] == [pytest.approx(1 / 3)] * 2


def test_a_guess_that_comes_true_is_no_promptness() -> None:
    """An update states RASH before anyone says it: anticipated, told only when it is stated again, and no delay < 0."""
    trace = conversation("FEVER.", "RASH.", gap_ms=1000)
    flushes = passed_through(trace).flushes
    first = Summary(0, "u0", 100, 0, 0, (0,), True, None, None, "FEVER RASH", "FEVER RASH", 3, None, (), None, 0)
    again = Summary(1, "u1", 5000, 1, 1, (1,), True, None, None, "RASH", "RASH", 1, None, (), None, 0)
    alone, both = (
        measured(observed(trace, RunLog(META, flushes, (), reported))) for reported in ((first,), (first, again))
    )
    assert (alone["coverage"], alone["coverage_at_10"], alone["anticipated"], alone["unsupported"]) == (
        0.5,
        0.5,
        0.5,
        0,
    )
    assert (both["coverage"], both["anticipated"], both["concepts_never_told"]) == (1, 0.5, 0)
    rash_whole = 1060 + 40
    assert both["concept_delay_ms_p95"] == pytest.approx(0.95 * (5000 - rash_whole) + 0.05 * 50)


def test_a_mention_that_the_cut_divides_does_not_count() -> None:
    """A concept counts from the budget at which its last code point is read, not its first."""
    update = Update(concepts=frozenset("A"), mentions=(Mention("A", 2, 9),), length=9)
    seen = Observation(stated_ms={"A": 0}, updates=(update,))
    assert [coverage_at_budget(seen, budget) for budget in (2, 3)] == [0, 1]


def test_a_failed_update_takes_room_and_states_nothing() -> None:
    """What a failed update shows is counted as output, and its concepts count nowhere."""
    trace = conversation("FEVER and RASH.")
    good = passed_through(trace)
    failed = Summary(0, "u0", 50, 0, 0, (0,), False, "no JSON", None, "FEVER", "FEVER FEVER", 3, None, (), None, 70)
    log = RunLog(META, good.flushes, (), (failed,))
    found = measured(observed(trace, log))
    assert (found["coverage"], found["coverage_at_10"], found["output_ctu"]) == (0, 0, 3)
    assert (found["unsupported"], found["unsupported_per_update"], found["window_unsupported"]) == (None, None, None)
    assert (found["schema_failure_rate"], found["time_to_first_update_ms"], found["latency_ms_mean"]) == (1, None, 70)


def test_an_invented_concept_is_unsupported() -> None:
    """GOUT is nowhere in the conversation; FEVER is, not in the second window, and the first update had it."""
    trace = conversation("FEVER.", "RASH.")
    base = passed_through(trace)
    first, second = base.summaries
    second = Summary(
        1, "u1", 900, 1, 1, (1,), True, None, None, "FEVER RASH GOUT", "FEVER RASH GOUT", 4, None, (), None, 0
    )
    found = measured(observed(trace, RunLog(META, base.flushes, (), (first, second))))
    assert found["unsupported"] == pytest.approx(1 / 3)
    assert found["unsupported_per_update"] == pytest.approx(1 / 6)
    assert found["window_unsupported"] == pytest.approx(1 / 3)
    assert found["contract_unsupported"] == pytest.approx(1 / 6)


def test_updates_count_in_order_of_emission() -> None:
    """A slow summary that is emitted after a later one is read after it."""
    trace = conversation("FEVER. RASH.", ms_per_char=1)
    flush = passed_through(trace).flushes
    slow = Summary(0, "u0", 900, 0, 0, (0,), True, None, None, "FEVER", "FEVER" + " " * 11, 4, None, (), None, 800)
    fast = Summary(1, "u1", 300, 0, 0, (0,), True, None, None, "RASH", "RASH", 1, None, (), None, 10)
    seen = observed(trace, RunLog(META, flush, (), (slow, fast)))
    assert [update.t_ms for update in seen.updates] == [300, 900]
    assert coverage_at_budget(seen, 1) == 0.5


def test_a_window_is_whole_where_flushes_touch_and_divided_where_messages_end() -> None:
    """Flushes that touch within a message are one text; a gap or the end of a message divides, so nothing spans it."""
    trace = conversation("abcdefgh", "ijkl")
    spans = [((0, 0), (0, 3)), ((0, 3), (0, 5)), ((0, 6), (1, 2)), ((1, 2), (1, 4))]
    flushes = [GateFlush(n, 0, a[0], b[0], a[1], b[1], 0, 0, "message", "") for n, (a, b) in enumerate(spans)]
    assert window_texts(trace, flushes) == ["abcde", "gh", "ijkl"]


@pytest.mark.slow
def test_every_update_of_a_stub_campaign_can_be_labelled(tmp_path: Path) -> None:
    """Under every shipped variant the updates about synthetic cases are copies, so that gold coverage is defined."""
    folder = ["--data-dir", str(tmp_path)]
    assert cli(["make-traces", "--stub", "--source", "synthetic", "--limit", "3", *folder]) == 0
    assert cli(["run-variants", *folder]) == 0
    assert cli(["compute-metrics", *folder]) == 0
    for variant in ("V0", "V1", "V2", "V3", "V4"):
        measures = read_variant(tmp_path / "metrics" / f"{variant}.metrics.jsonl").measures
        assert measures["coverage_gold"].n == measures["coverage_gold_at_500"].n == 3
        assert (measures["coverage_gold"].mean or 0) > 0.8
        assert measures["coverage_error"].n == measures["extractor_recall"].n == 3


def own_measures(_: MetricsConfig) -> list[Measure]:
    """A family of one's own."""
    return [Measure("updates_twice", "count", "neither", lambda seen: 2 * len(seen.updates))]


def clashing_measures(_: MetricsConfig) -> list[Measure]:
    """A family that takes a name that is taken."""
    return [Measure("coverage", "share", "higher", lambda _: None)]


def test_further_families_are_found_by_module_and_attribute(monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration adds measures by name; a name that is taken, or a family that is nowhere, is refused."""
    monkeypatch.setitem(sys.modules, "own_measures_for_test", sys.modules[__name__])
    added = load_measures(MetricsConfig(measures=("own_measures_for_test:own_measures",)))
    assert added[-1].name == "updates_twice"
    with pytest.raises(ConfigError, match="'coverage' is declared twice"):
        load_measures(MetricsConfig(measures=("own_measures_for_test:clashing_measures",)))
    with pytest.raises(ConfigError, match=r"no family of measures is called 'nowhere'"):
        check_measures(MetricsConfig(measures=("nowhere",)))
