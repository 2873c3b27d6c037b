"""Parts of somebody's own: what they do wrong fails one case by name, and an edit of them is noticed."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conversations import ScriptedLLM, conversation, freeze
from exaid_evals.config.campaign import Campaign
from exaid_evals.config.metrics import BootstrapConfig, ExtractorConfig, MetricsConfig
from exaid_evals.config.plugins import Kind
from exaid_evals.config.variant import StubLLMConfig, SummarizerConfig, VariantConfig
from exaid_evals.errors import DEBUG_VARIABLE, CaseFailedError, ConfigError
from exaid_evals.metrics.registry import check_measures
from exaid_evals.metrics.stage import Settings as MetricsSettings
from exaid_evals.metrics.stage import compute_metrics, plan_metrics
from exaid_evals.middleware.registry import build_summarizer
from exaid_evals.replay.run_log import read_run
from exaid_evals.replay.stage import Outcome, Settings, plan_runs, run_variants

CONVERSATIONS = [
    conversation("A boy with FEVER.", "Likely MEASLES.", case_id="case-1"),
    conversation("A RASH.", case_id="case-2"),
]
READER = "conversations:build_words"
PARTS = '''
from exaid_evals.concepts.base import Mention
from exaid_evals.metrics.base import Measure
from exaid_evals.middleware.gates import Chunk, Gate
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, Update, render
from exaid_evals.middleware.triggers import Verdict

GOOD = dict.fromkeys(FIELDS, "fine")

class Part:
    def __init__(self, settings, client): pass

class Fields(Part):
    """Breaks the schema of the six fields in the first case."""
    change = {}
    def summarize(self, request):
        content = {**GOOD, **self.change}
        content = {name: text for name, text in content.items() if text is not ...}
        return Update(content, "x", "x")

class Long(Fields): change = {"key_findings": "x" * 400}
class Missing(Fields): change = {"key_findings": ...}
class NoText(Fields): change = {"key_findings": 7}
class OtherTexts(Fields): pass

class Raises(Part):
    def summarize(self, request):
        if any("FEVER" in text for _, text in request.turns):
            return request.nothing
        return Update(GOOD, render(GOOD, SEMANTIC_FIELDS), render(GOOD, FIELDS))

def shorter(text): return text[:9]
def nothing(settings, client): return "nothing"

class Nothing(Part):
    def summarize(self, request): return None

class Slow(Part):
    def summarize(self, request): return Update(None, "x", "x", latency_ms=1.5)

class Surrogate(Part):
    def summarize(self, request): return Update(None, chr(0xd800), "x")

class OwnReason(Gate):
    reason = "topic_shift"
    def on_piece(self, piece): return [Chunk((piece,), piece.t_ms, self.reason)]

class BadReason(OwnReason): reason = "Topic shift!"

class NoList(OwnReason):
    def on_piece(self, piece): return None

class Strings(OwnReason):
    def on_piece(self, piece): return ["text"]

class Maybe(Part):
    def decide(self, request): return Verdict("maybe", dict.fromkeys(("completeness", "value", "novelty")))

class Bool(Part):
    def decide(self, request): return True

class Broken:
    def __init__(self): pass

class BadExtractor:
    id = "bad-1"
    def mentions(self, texts): return [(Mention("X", 0, 99),) for _ in texts]

def extractor(settings, *, stop_entities): return BadExtractor()

def ratio(seen):
    """1 / 0."""
    return 1 / 0

def measures(config): return [Measure("ratio", "share", "higher", ratio)]
def strangers(config): return ["ratio"]
'''


@pytest.fixture(autouse=True)
def parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a module of somebody's own and return its file."""
    path = tmp_path / "parts" / "my_parts.py"
    path.parent.mkdir()
    path.write_text(PARTS, encoding="utf-8")
    monkeypatch.syspath_prepend(str(path.parent))
    sys.modules.pop("my_parts", None)
    importlib.invalidate_caches()
    return path


def settings(**kinds: str) -> Settings:
    """Return settings for one variant of own parts beside plain ones."""
    plain = {"gate": "message", "trigger": "always", "summarizer": "passthrough"}
    chosen: dict[str, Any] = {noun: {"kind": kind} for noun, kind in (plain | kinds).items()}
    variant = VariantConfig.model_validate({"variant_id": "Mine", "history_k": 2, **chosen})
    return Settings([variant], SummarizerConfig(stub=StubLLMConfig(concepts=READER)), frozenset())


def do(campaign: Campaign, wanted: Settings) -> Outcome:
    """Plan and run."""
    return run_variants(campaign, wanted, plan_runs(campaign, wanted), on_case=lambda _: None)


def test_what_a_part_raises_fails_its_case_and_the_others_go_on(tmp_path: Path) -> None:
    """The message names variant, part, case and error; the other case has its log."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    outcome = do(campaign, settings(summarizer="my_parts:Raises"))
    what = "AttributeError: 'SummaryInput' object has no attribute 'nothing'"
    assert outcome.failed == {"case-1": f"Mine: summarizer my_parts:Raises failed on case-1: {what}"}
    assert outcome.written == 2
    assert read_run(campaign.run_file("Mine", "case-1")).failed
    assert read_run(campaign.run_file("Mine", "case-2")).summaries[0].schema_ok


@pytest.mark.parametrize(
    ("noun", "kind", "what"),
    [
        ("summarizer", "Nothing", "`summarize` returns NoneType, and must be Update"),
        ("summarizer", "Slow", "Update.latency_ms is 1.5"),
        ("summarizer", "Surrogate", "UnicodeEncodeError"),
        ("summarizer", "OtherTexts", "semantics_text is not that of summary_content"),
        ("trigger", "Bool", "`decide` returns bool, and must be Verdict"),
        ("trigger", "Maybe", 'decision: "maybe" is not one of'),
        ("gate", "NoList", "TypeError"),
        ("gate", "Strings", "a gate's methods give str, and must be Chunk"),
        ("gate", "BadReason", 'reason: "Topic shift!" does not match'),
    ],
)
def test_what_is_of_the_wrong_type_fails_the_case(tmp_path: Path, noun: str, kind: str, what: str) -> None:
    """Whatever a part gives back in place of what it should, the case fails by name, and its log says no more."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS[:1])
    problem = do(campaign, settings(**{noun: f"my_parts:{kind}"})).failed["case-1"]
    assert problem.startswith(f"Mine: {noun} my_parts:{kind}")
    assert "case-1" in problem
    assert what in problem
    assert read_run(campaign.run_file("Mine", "case-1")).failed


def test_a_gate_has_reasons_of_its_own(tmp_path: Path) -> None:
    """A reason is any short name in lower case."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS[:1])
    assert do(campaign, settings(gate="my_parts:OwnReason")).failed == {}
    assert {flush.reason for flush in read_run(campaign.run_file("Mine", "case-1")).flushes} == {"topic_shift"}


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("Long", "key_findings: 400 characters, where 1 to 300 are allowed"),
        ("Missing", "key_findings: missing"),
        ("NoText", "key_findings: no text"),
    ],
)
def test_fields_that_break_the_schema_are_a_failed_update(tmp_path: Path, kind: str, error: str) -> None:
    """Of any summarizer: the update counts as failed, in the log and in schema_failure_rate."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    assert do(campaign, settings(summarizer=f"my_parts:{kind}")).failed == {}
    (first, *_) = read_run(campaign.run_file("Mine", "case-1")).summaries
    assert (first.schema_ok, first.schema_error, first.summary_content, first.rendered_text) == (False, error, None, "")
    measure(campaign)
    assert '"schema_failure_rate":1' in campaign.metrics_file("Mine").read_text(encoding="utf-8")


def measure(campaign: Campaign, *, extractor: str = READER, measures: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Measure, and return the variants that were not current."""
    config = MetricsConfig(
        extractor=ExtractorConfig(name=extractor), measures=measures, bootstrap=BootstrapConfig(resamples=100)
    )
    wanted = MetricsSettings(config=config, stop_entities=frozenset())
    plan = plan_metrics(campaign, wanted)
    compute_metrics(campaign, wanted, plan, on_case=lambda _: None)
    return plan.stale


def test_a_measure_or_an_extractor_that_fails_names_its_cases(tmp_path: Path) -> None:
    """Every case is named, the exit status is that of failed cases, and no mean is taken over the rest."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    do(campaign, settings())
    with pytest.raises(CaseFailedError) as caught:
        measure(campaign, measures=("my_parts:measures",))
    assert caught.value.exit_status == 3
    for case_id in ("case-1", "case-2"):
        assert f"Mine: measure ratio failed on {case_id}: ZeroDivisionError: division by zero" in str(caught.value)
    with pytest.raises(CaseFailedError, match=r"extractor my_parts:extractor failed on case-1: ValueError"):
        measure(campaign, extractor="my_parts:extractor")
    assert not campaign.metrics_file("Mine").exists()


def test_a_damaged_log_is_one_bad_case(tmp_path: Path) -> None:
    """A dangling reference ends no worker; the other cases are looked at, and the bad one is named."""
    from exaid_evals.artifacts.jsonl import read_jsonl, write_jsonl
    from exaid_evals.errors import DataError

    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    do(campaign, settings())
    path = campaign.run_file("Mine", "case-2")
    records = read_jsonl(path)
    records[1]["end_seq"] = 500
    write_jsonl(path, records)
    with pytest.raises(DataError, match=r"case-2\.jsonl\.gz: gate_flush 0 covers"):
        measure(campaign)


def test_what_cannot_be_built_is_a_configuration_error() -> None:
    """A constructor that raises, what cannot be called, and a family that declares no measures: before any work."""
    own = settings(summarizer="my_parts:Broken").variants[0]
    with pytest.raises(ConfigError, match=r"Mine: summarizer: the summarizer 'my_parts:Broken' cannot be built"):
        build_summarizer(own, ScriptedLLM([]))
    with pytest.raises(ConfigError, match=r"'os:path' is a module, which cannot be called"):
        build_summarizer(settings(summarizer="os:path").variants[0], ScriptedLLM([]))
    for function, reported in (("shorter", "cannot be built .*: it is a function"), ("nothing", "makes a str without")):
        with pytest.raises(
            ConfigError, match=rf"{reported}.* a summarizer is a class \(settings, client\) with `summarize`"
        ):
            build_summarizer(settings(summarizer=f"my_parts:{function}").variants[0], ScriptedLLM([]))
    with pytest.raises(ConfigError, match="declares str, which is not a Measure"):
        check_measures(MetricsConfig(measures=("my_parts:strangers",)))


def test_an_edit_of_an_own_part_makes_results_stale(tmp_path: Path, parts: Path) -> None:
    """Runs and metrics are made again after an edit of the part's file, and are current otherwise."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    own, other = settings(gate="my_parts:OwnReason"), settings()
    assert (do(campaign, own).written, do(campaign, own).written) == (2, 0)
    parts.write_text(PARTS.replace("class Long", "# edited\nclass Long"), encoding="utf-8")
    assert do(campaign, own).written == 2
    assert (do(campaign, other).written, do(campaign, replace(other)).written) == (2, 0)
    parts.write_text(PARTS.replace("return 1 / 0", "return 1.0"), encoding="utf-8")
    sys.modules.pop("my_parts", None)
    family = ("my_parts:measures",)
    assert (measure(campaign, measures=family), measure(campaign, measures=family)) == (("Mine",), ())
    parts.write_text(PARTS.replace("return 1 / 0", "return 2.0"), encoding="utf-8")
    assert measure(campaign, measures=family) == ("Mine",)


def test_the_source_of_what_ships_is_hashed_elsewhere() -> None:
    """A built-in part has no hash of its own; one without a file has none either."""
    kind = Kind("part", "none", {"message": "x:y"})
    assert kind.source_hash("message") is None
    assert kind.source_hash("sys:exit") is None
    assert kind.source_hash("no_such_module:x") is None
    assert len(kind.source_hash("my_parts:Long") or "") == 64


def test_debug_shows_the_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Only where it is asked for."""
    campaign = freeze(tmp_path / "data", CONVERSATIONS)
    do(campaign, settings(summarizer="my_parts:Raises"))
    assert "Traceback" not in capfd.readouterr().err
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    do(campaign, settings(summarizer="my_parts:Raises"))
    assert "return request.nothing" in capfd.readouterr().err
