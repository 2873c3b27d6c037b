"""Stage 01 with MAC: what becomes of a conversation, and of one that does not end well."""

from __future__ import annotations

import re
import threading
import time
from pathlib import Path

import pytest

from checking import found_in_campaign
from exaid_evals.artifacts.ids import at_offset
from exaid_evals.artifacts.jsonl import read_jsonl
from exaid_evals.config.campaign import Campaign
from exaid_evals.errors import CaseFailedError, LLMError
from exaid_evals.traces.freeze import verify_frozen
from exaid_evals.traces.model import read_trace
from folders import contents
from traces.mac import harness
from traces.mac.conftest import eventually
from traces.mac.harness import CASES, KEY, Checkout, about, children, cue, made, said
from traces.mac.provider import Asked, Provider, Says, conversation


@pytest.mark.usefixtures("untouched")
def test_conversation_becomes_a_trace(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """What MAC's agents say is frozen word for word, in order, as no stub, timed from the case's first message."""
    result = made(tmp_path, mac, provider.base_url)
    campaign = Campaign(tmp_path)
    assert result.made == CASES
    assert verify_frozen(campaign) == result.manifest
    assert (result.manifest.stub, result.manifest.generation.base_model) == (False, "gpt-4o-mini")
    assert result.manifest.generation.generation_seed is None
    records = read_jsonl(campaign.trace_file("case-pmc1001"))
    agents = [record["agent_id"] for record in records]
    assert agents == ["supervisor", *["doctor0", "doctor1", "doctor2", "supervisor"] * 2]
    assert "Case PMC1001: a 20-year-old woman." in records[0]["content"]
    for number, record in enumerate(records[1:], start=1):
        answer = next(
            conversation(asked) for asked in provider.asked if about(asked) == "case-pmc1001" and asked.n_said == number
        )
        assert record["content"] == answer.content
        assert record["provider_token_count"] == len(answer.content) // 4
    assert "provider_token_count" not in records[0]
    times = [record.get("t_rel_ms", record.get("end_t_rel_ms")) for record in records]
    assert times == sorted(times)
    assert times[0] == 0
    created_at = result.manifest.created_at
    assert [record["timestamp"] for record in records] == [at_offset(created_at, t_ms) for t_ms in times]
    assert found_in_campaign(campaign) == []


def test_tokens_are_left_out_where_none_are_reported(tmp_path: Path, mac: Checkout) -> None:
    """Missing is not zero."""
    with Provider(lambda asked, before: Says(conversation(asked, before).content, usage=False)) as silent:
        made(tmp_path, mac, silent.base_url, cases=("case-1002",))
    records = list(read_jsonl(Campaign(tmp_path).trace_file("case-1002")))
    assert len(records) > 1
    assert not [record for record in records if "provider_token_count" in record]


def test_follow_up_stage(tmp_path: Path, mac: Checkout, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage of the configuration chooses the presentation, under the name that MAC gives it."""
    settings = {"mac": {"commit": mac.commit, "stage": "follow_up"}}
    monkeypatch.setattr(harness, "settings", lambda *_, **__: settings)
    made(tmp_path, mac, provider.base_url, cases=("case-1002",))
    assert "Exome sequencing" in said(tmp_path, "case-1002")[0][1]


def test_second_call_needs_nothing(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """Frozen is frozen: no key, no call, no byte."""
    made(tmp_path, mac, provider.base_url, cases=("case-1002",))
    before, n_asked = contents(tmp_path), len(provider.asked)
    assert made(tmp_path, mac, cases=("case-1002",), key="").nothing_to_do
    assert contents(tmp_path) == before
    assert len(provider.asked) == n_asked


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("<<crash>>", r"^crash: MAC's process ended, killed by SIGSEGV, after 3 messages \(the last of 2 tries\)$"),
        ("<<exit>>", r"^crash: MAC's process ended, exit status 7, after 3 messages \(the last of 2 tries\)$"),
        ("<<raise>>", r"^MAC raised RuntimeError: the doctors are on strike, after 3 messages$"),
        (
            "<<wrong file>>",
            r"^message 2 of doctor1 differs at character \d+: observed 'e?ver .*MAC's conversation file",
        ),
        ("<<no file>>", r"^MAC wrote no conversation file, and 9 messages were observed$"),
    ],
)
def test_failure_costs_one_case(tmp_path: Path, mac: Checkout, provider: Provider, word: str, reason: str) -> None:
    """A case that fails becomes a failure trace that says why and how far it came; the others go on."""
    provider.script = cue("case-1003", 3, word)
    result = made(tmp_path, mac, provider.base_url)
    [(case_id, found)] = result.failed
    assert case_id == "case-1003"
    assert re.search(reason, found), found
    assert read_trace(Campaign(tmp_path).trace_file("case-1003")).failure_reason == found
    assert result.manifest.failed_cases == ("case-1003",)
    assert len(said(tmp_path, "case-1002")) == len(said(tmp_path, "case-pmc1001")) == 9
    assert found_in_campaign(Campaign(tmp_path)) == []


def test_hang_is_killed_with_all_that_it_started(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """After the time limit nothing of the case runs on, and its reason tells the partial conversation."""
    provider.script = cue("case-1003", 3, "<<hang>>")
    result = made(tmp_path, mac, provider.base_url, live={"time_limit_s": 2, "retry": {"attempts": 1}})
    assert result.failed == (("case-1003", "timeout: no end within 2 s, after 3 messages"),)
    eventually(lambda: children(mac) == [], "a process of MAC's runs on")


def test_conversation_without_a_readable_report_counts(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """The conversation is evaluated, not the diagnosis; where the report is required, the case fails."""
    provider.script = cue("case-1003", 4, "<<no report>>")
    assert made(tmp_path / "a", mac, provider.base_url).failed == ()
    strict = made(tmp_path / "b", mac, provider.base_url, live={"report_required": True})
    assert strict.failed == (("case-1003", "MAC raised IndexError: list index out of range, after 9 messages"),)


def test_passing_trouble_is_tried_again(tmp_path: Path, mac: Checkout) -> None:
    """Errors of the provider that pass cost another try, and no answered call is asked again."""

    def script(asked: Asked, before: int) -> Says:
        # MAC's own client asks twice, so one try of ours sees two of the three errors.
        busy = about(asked) == "case-1002" and asked.n_said == 4 and before < 3
        return Says("busy", status=503, headers={"Retry-After": "0"}) if busy else conversation(asked, before)

    with Provider(script) as provider:
        assert made(tmp_path, mac, provider.base_url).failed == ()
        assert provider.n_repeated == 3
    assert len(said(tmp_path, "case-1002")) == 9


@pytest.mark.parametrize(
    ("says", "tries", "reason"),
    [
        (Says("too long", status=400), 1, "the provider answered 400 (too long), after 1 message"),
        (Says("busy", status=503), 2, "the provider answered 503 (busy), after 1 message (the last of 2 tries)"),
        (
            Says(body=b"{}"),
            2,
            "the provider answered 200 without an answer in it, after 1 message (the last of 2 tries)",
        ),
        (Says(status=0), 2, "the provider gave no connection (RemoteProtocolError"),
        (Says("moved", status=302, headers={"Location": "http://127.0.0.1:1/"}), 1, "the provider answered 302"),
    ],
)
def test_lasting_trouble_fails_the_case(tmp_path: Path, mac: Checkout, says: Says, tries: int, reason: str) -> None:
    """What the provider said is the reason; what another try cannot change is not tried again."""
    with Provider(lambda *_: says) as provider:
        [(_, found)] = made(tmp_path, mac, provider.base_url, cases=("case-1002",)).failed
        assert found.startswith(reason)
        assert len(provider.asked) == tries * (1 if says.status == 400 else 2)


def test_refused_key_stops_the_stage(tmp_path: Path, mac: Checkout) -> None:
    """Every other case would fail likewise: nothing is frozen, what is done is kept, and a new key goes on."""

    def script(asked: Asked, before: int) -> Says:
        refused = about(asked) == "case-1003" and asked.n_said == 4 and asked.headers["Authorization"].endswith("%42")
        return Says("no such key", status=401) if refused else conversation(asked, before)

    with Provider(script) as provider:
        with pytest.raises(LLMError, match="401") as caught:
            made(tmp_path, mac, provider.base_url, jobs=1)
        assert KEY not in str(caught.value)
        assert not Campaign(tmp_path).manifest_file.exists()
        result = made(tmp_path, mac, provider.base_url, jobs=1, key="another-key")
        assert (result.reused, result.failed) == (("case-1002",), ())
        assert provider.n_repeated == 1


def test_raise_stops_at_the_first_failure(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """With `on_failure: raise` nothing is frozen, and what was finished is gone on with."""
    provider.script = cue("case-1003", 3, "<<raise>>")
    with pytest.raises(CaseFailedError, match="case-1003"):
        made(tmp_path, mac, provider.base_url, jobs=1, dataset={"on_failure": "raise"})
    assert not Campaign(tmp_path).manifest_file.exists()
    assert made(tmp_path, mac, provider.base_url, jobs=1).reused == ("case-1002",)


def test_failed_cases_alone_are_made_again(tmp_path: Path, mac: Checkout) -> None:
    """--retry-failed pays for what was not answered, keeps the other traces, and freezes anew."""
    down = threading.Event()
    down.set()

    def script(asked: Asked, before: int) -> Says:
        if down.is_set() and about(asked) == "case-1003" and asked.n_said == 5:
            return Says("down", status=503)
        return conversation(asked, before)

    with Provider(script) as provider:
        first = made(tmp_path, mac, provider.base_url)
        assert [case_id for case_id, _ in first.failed] == ["case-1003"]
        down.clear()
        n_asked = len(provider.asked)
        again = made(tmp_path, mac, provider.base_url, retry_failed=True)
        assert (again.made, again.failed) == (("case-1003",), ())
        assert len(provider.asked) - n_asked == 4
    assert again.manifest.created_at == first.manifest.created_at
    assert found_in_campaign(Campaign(tmp_path)) == []


@pytest.mark.slow
def test_cases_conversation_at_the_same_time(tmp_path: Path, mac: Checkout) -> None:
    """With three jobs three cases are asked about at once, and what is said is the same."""
    now: set[str] = set()
    most = 0
    begun: set[str] = set()
    together = threading.Barrier(3)

    def script(asked: Asked, before: int) -> Says:
        nonlocal most
        case = about(asked)
        now.add(case)
        most = max(most, len(now))
        if case not in begun:  # the first question about a case is answered once all three cases are asked about
            begun.add(case)
            together.wait(120)
        else:
            time.sleep(0.03)
        now.discard(case)
        return conversation(asked, before)

    with Provider(script) as provider:
        made(tmp_path / "three", mac, provider.base_url, jobs=3)
        assert most == 3
        most = 0
        made(tmp_path / "one", mac, provider.base_url, jobs=1)
        assert most == 1
    for case_id in CASES:
        assert said(tmp_path / "three", case_id) == said(tmp_path / "one", case_id)


def test_force_makes_anew_and_keeps_what_was_paid_for(tmp_path: Path, mac: Checkout, provider: Provider) -> None:
    """--force asks everything again, and sets the old recording aside."""
    made(tmp_path, mac, provider.base_url, cases=("case-1002",))
    [old] = (tmp_path / "cassettes").iterdir()
    before = old.read_bytes()
    made(tmp_path, mac, provider.base_url, cases=("case-1002",), force=True)
    assert provider.n_repeated == 8
    kept = old.with_name(f"{old.name.removesuffix('.jsonl.gz')}-superseded-1.jsonl.gz")
    assert kept.read_bytes() == before
