"""A streamed answer reaches MAC whole, and the trace says when which part of it came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.config.campaign import Campaign
from exaid_evals.traces.mac.calls import Reply
from exaid_evals.traces.mac.proxy import Forwarder, as_streamed
from exaid_evals.traces.model import read_trace
from folders import contents
from traces.mac.harness import KEY, Checkout, made, replayed
from traces.mac.provider import Asked, Provider, Says

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Case 1: x"}]}).encode()


def reply_of(provider: Provider, *, times: int = 1) -> Reply:
    """Forward a request so many times, and return the last reply."""
    endpoint = endpoint_of("openai", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": provider.base_url})
    forward = Forwarder(endpoint, 5)
    try:
        return [forward(BODY) for _ in range(times)][-1]
    finally:
        forward.close()


def test_chunks_become_the_plain_answer_with_their_times() -> None:
    """Text, finish and usage are those of an answer that was never streamed; the chunks add up to the text."""
    with Provider(lambda *_: Says("fever and rash"), streams=True) as provider:
        reply = reply_of(provider)
    answer = json.loads(reply.body)
    assert answer["choices"] == [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "fever and rash"}}
    ]
    assert (answer["object"], answer["usage"]["completion_tokens"]) == ("chat.completion", 3)
    times = [t_ms for t_ms, _ in reply.deltas]
    assert times == sorted(times)
    assert sum(n_chars for _, n_chars in reply.deltas) == len("fever and rash")


def test_a_service_that_does_not_stream_is_asked_plainly() -> None:
    """One that answers plainly is taken at its word; one that refuses streaming is asked once more, and never again."""
    with Provider(lambda *_: Says("fine")) as provider:
        assert (reply_of(provider).deltas, len(provider.asked)) == ((), 1)

    def refuse(asked: Asked, _before: int) -> Says:
        return Says("stream is not supported", status=400) if asked.body.get("stream") else Says("fine")

    with Provider(refuse) as provider:
        reply = reply_of(provider, times=3)
        assert reply.trouble is None
        assert [bool(asked.body.get("stream")) for asked in provider.asked] == [True, False, False, False]


def test_a_stream_that_breaks_off_is_no_answer() -> None:
    """Half an answer is trouble that passes, not a short answer."""
    with Provider(lambda *_: Says("half an …"), streams=True) as provider:
        trouble = reply_of(provider).trouble
    assert trouble is not None
    assert (trouble.passing, "a stream that broke off" in trouble.what) == (True, True)


@pytest.mark.parametrize("more", [{"n": 2}, {"tools": [{}]}, {"stream": True}])
def test_what_is_more_than_one_text_is_not_streamed(more: dict[str, object]) -> None:
    """Several choices, tools, or a stream that MAC itself asked for are forwarded as they are."""
    assert as_streamed(json.dumps({**json.loads(BODY), **more}).encode()) is None


def test_a_conversation_is_timed_by_its_chunks_live_and_replayed(tmp_path: Path, mac: Checkout) -> None:
    """Every answer's message streams as it came, after the message before; a replay from the recording is the same."""
    with Provider(streams=True) as provider:
        made(tmp_path / "live", mac, provider.base_url, cases=("case-1002",))
    trace = read_trace(Campaign(tmp_path / "live").trace_file("case-1002"))
    opening, *answers = trace.messages
    assert (opening.time_basis, opening.end_t_rel_ms) == ("complete", 0)
    assert {message.time_basis for message in answers} == {"recorded"}
    assert all(len(message.stream) > 3 for message in answers)
    assert trace.time_basis == "recorded"
    replayed(tmp_path / "replay", tmp_path / "live", mac, cases=("case-1002",))
    assert contents(tmp_path / "replay") == contents(tmp_path / "live")
