"""One request to a chat-completions server: sent once, answered whole, or failed for a stated reason; and its JSON."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from exaid_evals.clients.base import Budget, StoppedError
from exaid_evals.clients.endpoint import Endpoint, PassingError, passes, retry_after_s
from exaid_evals.config.variant import LLMConfig
from exaid_evals.errors import LLMError

if TYPE_CHECKING:
    import httpx
    import openai
    from openai import OpenAI

_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^`\n]*)\Z")
_DECODER: json.JSONDecoder


def json_object(text: str) -> dict[str, Any]:
    r"""Return the object that an answer is, or that stands in it inside a code fence or between prose.

    Strict: one object, no repeated key, nothing repaired. Two different objects are not answers, for choosing one of
    them would be guessing.

    >>> json_object('Sure!\n```json\n{"a": true}\n```'), json_object('It is {"a": 1}.')
    ({'a': True}, {'a': 1})

    Raises:
        ValueError: says why there is none.
    """
    text = text.strip().removeprefix("\ufeff")
    try:
        whole = _DECODER.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except json.JSONDecodeError as error:
        return _inside(text, error)
    return _as_object(whole, text)


def _inside(text: str, problem: json.JSONDecodeError) -> dict[str, Any]:
    fenced = list(_fenced(text))
    found = [item for part in fenced for item in _objects(part)] or _objects(text)
    if not found:
        raise ValueError(f"not JSON: {problem}")
    if any(item != found[0] for item in found[1:]):
        raise ValueError(f"{len(found)} JSON objects where one must stand")
    return found[0]


def _fenced(text: str) -> Iterator[str]:
    """Yield what stands between fences: lines of ``` or ~~~ , of which the closing one says nothing more."""
    fence = ""
    held: list[str] = []
    for line in text.split("\n"):
        match = _FENCE.match(line)
        if not fence:
            fence, held = (match[1], []) if match else ("", [])
        elif match and match[1] == fence and not match[2].strip(" \t"):
            yield "\n".join(held) + "\n"
            fence = ""
        else:
            held.append(line)


def _objects(text: str) -> list[dict[str, Any]]:
    """Return the outermost objects of a text, in order."""
    found = []
    at = text.find("{")
    while at >= 0:
        try:
            value, end = _DECODER.raw_decode(text, at)
        except json.JSONDecodeError:
            end = at + 1
        except RecursionError:
            raise ValueError("nested too deeply") from None
        else:
            found.append(_as_object(value, text))
        at = text.find("{", end)
    return found


def _as_object(value: Any, text: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} where an object must stand")
    try:
        if "\\u" in text or not text.isascii():  # else there can be none
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate)") from None
    return value


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise ValueError("a key is a duplicate")
    return record


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_once_each, parse_constant=_refuse)


Result = TypeVar("Result")

FORMATS = ("json_schema", "json_object", "text")
"""The strictest first."""

_REFUSED_KEYWORDS = frozenset({"minLength", "maxLength"})
"""What strict mode refuses. The prompt states the limits, and the middleware checks every answer against them."""


class RefusedError(LLMError):
    """The server refuses a request as it stands (HTTP 400 or 422)."""


class Negotiation:
    """Finds the strictest format that the server supports, once for all threads.

    A server that lacks a format refuses the request, as it does for other reasons too; so a laxer format is
    remembered only when a request that was refused in the stricter one has been answered in it. Until the first
    answer one thread asks and the others wait, so that a run learns it once.
    """

    def __init__(self, wanted: str) -> None:
        """Begin.

        Args:
            wanted: one of the formats, which is then the only one; or `auto`.
        """
        self._formats = FORMATS if wanted == "auto" else (wanted,)
        self._known: str | None = None if wanted == "auto" else wanted
        self._asking = threading.Lock()

    def ask(self, send: Callable[[str], Result]) -> tuple[Result, str]:
        """Send a request in the format known to work, else find that out; return the result and the format.

        Raises:
            RefusedError: the request was refused in every format; the first refusal, which says most.
        """
        if self._known is None:
            with self._asking:
                if self._known is None:
                    return self._first(send, self._formats)
        known = self._known
        try:
            return send(known), known
        except RefusedError as error:
            # A server may take one schema and not another, so a laxer format is still tried.
            laxer = self._formats[self._formats.index(known) + 1 :]
            if not laxer:
                raise
            with self._asking:
                return self._first(send, laxer, error)

    def _first(
        self, send: Callable[[str], Result], formats: Sequence[str], refused: RefusedError | None = None
    ) -> tuple[Result, str]:
        for name in formats:
            try:
                result = send(name)
            except RefusedError as error:
                refused = refused or error
            else:
                self._known = name
                return result, name
        raise refused or LLMError("no format to ask in")


def as_parameter(name: str, task: str, schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a request's `response_format`; None where the format is words alone."""
    if name == "json_schema":
        return {"type": name, "json_schema": {"name": task, "strict": True, "schema": _strict(schema)}}
    return {"type": name} if name == "json_object" else None


def _strict(schema: Any) -> Any:
    if isinstance(schema, Mapping):
        return {key: _strict(value) for key, value in schema.items() if key not in _REFUSED_KEYWORDS}
    return [_strict(item) for item in schema] if isinstance(schema, list | tuple) else schema


_SHOWN_OF_A_BODY = 300
_NO_MORE_QUOTA = "insufficient_quota"


@dataclass(frozen=True, slots=True)
class Completion:
    """A full answer.

    Attributes:
        text: empty where the model refused.
        finish_reason: why it stopped.
        prompt_tokens: the provider's count; None where it reports none.
        completion_tokens: likewise.
        latency_ms: from the request to the end of the answer, by a monotonic clock.
    """

    text: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_ms: int


def complete_once(
    sdk: OpenAI,
    body: Mapping[str, Any],
    endpoint: Endpoint,
    budget: Budget,
    config: LLMConfig,
    monotonic: Callable[[], float],
) -> Completion:
    """Send a request once.

    No error holds or is chained to the library's own, for those carry headers and whatever the server echoed.

    Raises:
        PassingError: it failed for a reason that may pass.
        RefusedError: the server refuses the request as it stands.
        StoppedError: the server refuses this key or model, and would refuse every other request too.
        LLMError: it failed for another reason.
    """
    started = monotonic()
    failure: PassingError | LLMError
    try:
        if config.stream:
            text, finish_reason, usage = _streamed(sdk, body, lambda: monotonic() - started > config.timeout_s)
        else:
            text, finish_reason, usage = _whole(sdk, body)
    except (PassingError, LLMError):
        raise
    except _NoStreamError as error:
        failure = StoppedError(error.what, where=endpoint.shown, remedy=error.remedy)
    except Exception as error:  # whatever the SDK and the HTTP library raise ends here, and is reported without secrets
        failure = _failure(error, endpoint, config)
    else:
        latency_ms = round((monotonic() - started) * 1000)
        return Completion(
            text, finish_reason, _count(usage, "prompt_tokens"), _count(usage, "completion_tokens"), latency_ms
        )
    if isinstance(failure, StoppedError):
        budget.stop(f"{failure.where}: {failure.what}", remedy=failure.remedy)
    raise failure


def _whole(sdk: OpenAI, body: Mapping[str, Any]) -> tuple[str, str | None, Any]:
    answer: Any = sdk.chat.completions.create(**body, stream=False)
    choices: Any = getattr(answer, "choices", None)
    message = getattr(choices[0], "message", None) if choices else None
    if message is None:
        raise PassingError("the server's answer is not a chat completion")
    return _text(message.content), choices[0].finish_reason, getattr(answer, "usage", None)


def _streamed(sdk: OpenAI, body: Mapping[str, Any], too_late: Callable[[], bool]) -> tuple[str, str | None, Any]:
    parts: list[str] = []
    finish_reason = usage = None
    with sdk.chat.completions.create(**body, stream=True, stream_options={"include_usage": True}) as stream:
        _require_stream(stream.response)
        for chunk in stream:
            if too_late():
                raise PassingError("the stream did not end in time")
            usage = getattr(chunk, "usage", None) or usage
            choices = getattr(chunk, "choices", None)
            if choices:
                parts.append(_text(getattr(choices[0].delta, "content", None)))
                finish_reason = choices[0].finish_reason or finish_reason
    if finish_reason is None:
        raise PassingError("the stream broke off")
    return "".join(parts), finish_reason, usage


class _NoStreamError(Exception):
    """The server answered, and not with a stream: it would do the same again."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what, self.remedy = what, remedy


def _require_stream(response: httpx.Response) -> None:
    """Distinguish an answer that is not a stream from one that breaks off.

    Raises:
        _NoStreamError: the server sent a page, or JSON at once.
        PassingError: what it calls JSON is none.
    """
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "text/html":
        what = "the server answered with a web page, which no model writes"
        raise _NoStreamError(what, "check the base URL: it ends in /v1 on most servers")
    if kind == "application/json":
        try:
            answer: Any = json.loads(response.read())
        except (ValueError, RecursionError):
            raise PassingError("the server's answer is not JSON") from None
        choices = answer.get("choices") if isinstance(answer, dict) else None
        if choices:
            raise _NoStreamError("the server answers whole, and not as a stream", "write `stream: false` under `llm`")
        raise _NoStreamError("the server answered with JSON that holds no choices", "check the base URL and the model")


def _text(content: Any) -> str:
    return content if isinstance(content, str) else ""


def _count(usage: Any, name: str) -> int | None:
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _failure(error: Exception, endpoint: Endpoint, config: LLMConfig) -> PassingError | LLMError:
    """Return what a library's exception means, in words of our own and a redacted excerpt of the server's."""
    import httpx
    import openai

    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        return PassingError(f"no answer within {config.timeout_s:g} s")
    if isinstance(error, openai.APIConnectionError):
        return PassingError(f"no connection to {endpoint.shown}")
    if isinstance(error, httpx.TransportError):
        return PassingError(f"the connection broke off ({type(error).__name__})")
    if isinstance(error, openai.APIStatusError):
        return _refusal(error, endpoint, config)
    if isinstance(error, openai.APIError):  # an error that the server put into its stream
        return PassingError(f"the stream ended with an error: {_said(error, endpoint)}")
    if isinstance(error, json.JSONDecodeError):
        return PassingError("the server's answer is not JSON")
    what = f"{type(error).__name__}: {_excerpt(str(error), endpoint)}"
    return LLMError(what, where=endpoint.shown, remedy="check the server and its base URL")


_SEE_ITS_MESSAGE = "correct what the server's message says, or name another model with --model"


def _refusal(error: openai.APIStatusError, endpoint: Endpoint, config: LLMConfig) -> PassingError | LLMError:
    status = error.status_code
    what = f"HTTP {status}: {_said(error, endpoint)}"
    if status == 429 and error.code == _NO_MORE_QUOTA:
        return StoppedError(what, where=endpoint.shown, remedy="the account has no quota left: raise it, and go on")
    if passes(status):
        return PassingError(what, retry_after_s=retry_after_s(dict(error.response.headers)))
    if status in (401, 403):
        remedy = f"set {endpoint.key_variable} to a key that this server accepts"
        return StoppedError(what, where=endpoint.shown, remedy=remedy)
    if status == 404:
        remedy = (
            f"name a model that it has in place of {config.model!r}, as `model` under `llm` in summarizer.yaml or with "
            f"--model; or correct the base URL"
        )
        return StoppedError(what, where=endpoint.shown, remedy=remedy)
    if status in (400, 422):
        return RefusedError(what, where=endpoint.shown, remedy=_SEE_ITS_MESSAGE)
    return LLMError(what, where=endpoint.shown, remedy=_SEE_ITS_MESSAGE)


def _said(error: Any, endpoint: Endpoint) -> str:
    """Return an excerpt of what the server said."""
    body = error.body
    message = body.get("message") if isinstance(body, dict) else body
    return _excerpt(message if isinstance(message, str) and message else str(error.message), endpoint)


def _excerpt(text: str, endpoint: Endpoint) -> str:
    """Return the beginning of a text on one line; redacted first, for half a secret would not be recognised."""
    text = " ".join(endpoint.redactor.shown(text).split())
    return text if len(text) <= _SHOWN_OF_A_BODY else f"{text[:_SHOWN_OF_A_BODY]}…"
