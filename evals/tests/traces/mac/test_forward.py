"""What the provider's errors are taken for, and how long is waited for it."""

from __future__ import annotations

import json

import pytest

from exaid_evals.clients.endpoint import endpoint_of
from exaid_evals.traces.mac.calls import Trouble
from exaid_evals.traces.mac.proxy import Forwarder
from traces.mac.harness import KEY
from traces.mac.provider import Provider, Says

BODY = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Case 1: x"}]}).encode()


def trouble_of(says: Says, *, timeout_s: float = 5) -> Trouble | None:
    """Return what comes of one call."""
    with Provider(lambda *_: says) as provider:
        endpoint = endpoint_of("openai", {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": provider.base_url})
        forward = Forwarder(endpoint, timeout_s)
        try:
            return forward(BODY).trouble
        finally:
            forward.close()


@pytest.mark.parametrize(
    ("says", "trouble"),
    [
        (Says("fine"), None),
        (
            Says("slow down", status=429, headers={"Retry-After": "7"}),
            Trouble("the provider answered 429 (slow down)", passing=True, wait_s=7),
        ),
        (
            Says(status=429, body={"error": {"message": "used up", "code": "insufficient_quota"}}),
            Trouble("the provider answered 429 (used up)", passing=True, fatal=True),
        ),
        (
            Says(status=400, body=[{"error": {"message": "bad, says Google", "code": 400}}]),
            Trouble("the provider answered 400 (bad, says Google)", passing=False),
        ),
        (Says(status=500, body=b"<html>"), Trouble("the provider answered 500", passing=True)),
        (Says("x", status=401), Trouble("the provider answered 401 (x)", passing=False, fatal=True)),
        (
            Says(body=b'{"choices": [{"message": {"content": "\\ud83d"}}]}'),
            Trouble("the provider answered 200 without an answer in it", passing=True),
        ),
    ],
)
def test_what_an_answer_is_taken_for(says: Says, trouble: Trouble | None) -> None:
    """Limits and faults pass, refusals last, and a refused key or a used-up quota concerns every case."""
    assert trouble_of(says) == trouble


def test_no_answer_in_time() -> None:
    """A provider that says nothing is given up after the model's time-out."""
    trouble = trouble_of(Says("late", delay_s=1), timeout_s=0.2)
    assert trouble == Trouble("the provider gave no answer within 0.2 s", passing=True)
