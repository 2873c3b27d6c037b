"""The scripted server itself: what the tests of live runs rest on."""

from __future__ import annotations

import httpx
import pytest

from servers.openai_server import Answer, OpenAIServer, Received, default_answer

BODY = {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]}


def post(server: OpenAIServer) -> httpx.Response:
    """Ask once, without any client of ours."""
    return httpx.post(f"{server.base_url}/chat/completions", json=BODY, trust_env=False)


def test_a_script_that_runs_out_fails_the_test() -> None:
    """One request too many is an error of the test, not an answer."""
    server = OpenAIServer([Answer("a")])
    server.__enter__()
    assert post(server).json()["choices"][0]["message"]["content"] == "a"
    assert post(server).status_code == 418
    with pytest.raises(AssertionError, match="ran out: 1 requests too many"):
        server.__exit__(None, None, None)


def test_a_script_that_is_not_used_up_fails_the_test() -> None:
    """A request too few is one too."""
    with pytest.raises(AssertionError, match="1 steps are left"), OpenAIServer([Answer("a"), Answer("b")]) as server:
        post(server)


def test_what_went_wrong_in_the_block_goes_first() -> None:
    """A failing test is not hidden by what it left undone."""
    with pytest.raises(ZeroDivisionError), OpenAIServer([Answer("a")]):
        raise ZeroDivisionError


def test_the_default_answers_depend_on_the_prompt_alone() -> None:
    """The same prompt has the same answer."""
    received = Received(BODY, {}, "/v1/chat/completions", 0.0)
    assert default_answer(received) == default_answer(received) != ""
