"""What trigger and summarizer share: the prompts' common text, and asking again where an answer has the wrong form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from exaid_evals.clients.base import ChatMessage, LLMClient, LLMRequest, LLMResponse, Usage


def history_section(history: Sequence[str]) -> str:
    """Return the earlier updates, as a prompt shows them."""
    if not history:
        return "EARLIER UPDATES\n(none)"
    return "EARLIER UPDATES\n" + "\n---\n".join(history)


def turns_section(turns: Sequence[tuple[str, str]]) -> str:
    """Return who said what, a line each."""
    return "\n".join(f"[{agent}] {text.strip()}" for agent, text in turns)


def object_schema(properties: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of an object that has these properties, and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


Parsed = TypeVar("Parsed")


def ask_at_most_twice(
    client: LLMClient, request: LLMRequest, parse: Callable[[str], tuple[Parsed | None, str | None]]
) -> tuple[Parsed | None, str | None, LLMResponse]:
    """Ask, and ask once more where the answer cannot be read, showing the model its answer and what is wrong with it.

    Args:
        client: whom to ask.
        request: the request.
        parse: returns `(what was read, None)` or `(None, what is wrong)`.

    Returns:
        What was read of the last answer, what is wrong with it, and that answer with the usage and latency of both.

    Raises:
        LLMError: no answer could be had.
    """
    first = client.complete(request)
    parsed, problem = parse(first.text)
    if problem is None:
        return parsed, None, first
    correction = (
        f"That answer cannot be used ({problem}). Answer again, with one JSON object of the form asked for and "
        "nothing else."
    )
    again = (*request.messages, ChatMessage("assistant", first.text), ChatMessage("user", correction))
    second = client.complete(replace(request, messages=again))
    parsed, problem = parse(second.text)
    both = replace(second, usage=_sum(first.usage, second.usage), latency_ms=first.latency_ms + second.latency_ms)
    return parsed, problem, both


def ask_until_readable(
    client: LLMClient, request: LLMRequest, parse: Callable[[str], tuple[Parsed | None, str | None]]
) -> tuple[Parsed | None, str | None, LLMResponse]:
    """Ask as `ask_at_most_twice` does, and all over again as often as the client has or wants another answer.

    A recorded answer that cannot be read stays so. A client that records says by `may_ask_again(request)` whether the
    same request was answered once more later, as it then is in every replay, or may be asked once more now.

    Returns:
        As `ask_at_most_twice` does, with the usage and latency of all calls.

    Raises:
        LLMError: no answer could be had.
    """
    parsed, problem, response = ask_at_most_twice(client, request, parse)
    may_ask_again: Callable[[LLMRequest], bool] = getattr(client, "may_ask_again", lambda _request: False)
    while problem is not None and may_ask_again(request):
        earlier = response
        parsed, problem, response = ask_at_most_twice(client, request, parse)
        latency_ms = earlier.latency_ms + response.latency_ms
        response = replace(response, usage=_sum(earlier.usage, response.usage), latency_ms=latency_ms)
    return parsed, problem, response


def _sum(first: Usage, second: Usage) -> Usage:
    return Usage(
        calls=first.calls + second.calls,
        prompt_ctu=first.prompt_ctu + second.prompt_ctu,
        completion_ctu=first.completion_ctu + second.completion_ctu,
        provider_prompt_tokens=_both(first.provider_prompt_tokens, second.provider_prompt_tokens),
        provider_completion_tokens=_both(first.provider_completion_tokens, second.provider_completion_tokens),
    )


def _both(first: int | None, second: int | None) -> int | None:
    return None if first is None or second is None else first + second
