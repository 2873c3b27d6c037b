"""Keys planted wherever a text of others comes in, in every encoding; none may come out again."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import yaml

from conversations import conversation, freeze
from exaid_evals.cli.main import run
from servers.answers import default_answer
from servers.openai_server import Answer, Fail, Garbage, OpenAIServer, Step, StreamError
from torture.bench import Count
from torture.encodings import ENCODINGS

KEY = "sk-planted/+key=0123456789abcdef"
_REPLACED = "None stated."


@dataclass(frozen=True)
class Place:
    """Where a key gets in.

    Attributes:
        step: what the server does, given the key as written.
        environment, options, settings: what the user has set, given the same; settings are those of `llm`.
        answer: what good answers say in place of a field's text.
    """

    step: Callable[[str], Step] | None = None
    environment: Callable[[str], Mapping[str, str]] = lambda _: {}
    options: Callable[[str], list[str]] = lambda _: []
    settings: Callable[[str], Mapping[str, object]] = lambda _: {}
    answer: Callable[[str], str] | None = None


def _failing(status: int) -> Place:
    return Place(lambda key: Fail(status, f"for the key {key} there is no more"))


PLACES: dict[str, Place] = {
    **{f"error {status}": _failing(status) for status in (400, 401, 403, 404, 413, 429, 500, 503)},
    "code of an error": Place(lambda key: Fail(400, "no", code=key)),
    "Retry-After": Place(lambda key: Fail(429, "slowly", headers={"Retry-After": key})),
    "Location": Place(lambda key: Fail(307, "elsewhere", headers={"Location": f"http://127.0.0.1:9/{key}"})),
    "X-Request-Id": Place(lambda key: Fail(400, "no", headers={"X-Request-Id": key})),
    "HTML": Place(lambda key: Garbage(f"<html>who is {key}?</html>")),
    "JSON without choices": Place(lambda key: Garbage(json.dumps({"detail": f"bad key {key}"}))),
    "error in a stream": Place(lambda key: StreamError(f"the key {key} has run out")),
    "answer of another form": Place(lambda key: Answer(f"I was given {key}")),
    "finish reason": Place(lambda key: Answer(finish_reason=key)),
    "field of an answer": Place(answer=lambda key: f"I was given {key}"),
    "model in the configuration": Place(settings=lambda key: {"model": key}),
    "unknown setting": Place(settings=lambda key: {key: 1}),
    "setting of another type": Place(settings=lambda key: {"timeout_s": key}),
    "model on the command line": Place(options=lambda key: ["--model", key]),
    "number on the command line": Place(options=lambda key: ["--max-calls", key]),
    "number in the environment": Place(environment=lambda key: {"EXAID_JOBS": key}),
    "query of the base URL": Place(environment=lambda key: {"OPENAI_BASE_URL": f"http://127.0.0.1:9/v1?token={key}"}),
    "password of the base URL": Place(
        environment=lambda _: {"OPENAI_BASE_URL": f"http://me:{quote(KEY, safe='')}@127.0.0.1:9/v1"}
    ),
    "scheme of the base URL": Place(environment=lambda key: {"OPENAI_BASE_URL": f"{key}://127.0.0.1/v1"}),
}


@dataclass
class _Seen:
    """What came out of a run: both streams and every file."""

    output: str
    files: dict[str, bytes] = field(default_factory=dict)

    def forms(self) -> Iterator[str]:
        """Yield where the key stands, in any encoding."""
        texts = {"the terminal": self.output.encode(), **self.files}
        for encoding, write in ENCODINGS.items():
            for name, text in texts.items():
                if write(KEY).encode() in text:
                    yield f"{encoding} in {name}"


def planted(n_encodings: int) -> Iterator[tuple[str, Count]]:
    """Plant the key in every place, in so many encodings, and yield a row a place.

    Every second time the loggers of all libraries are at debug level.
    """
    for name, place in PLACES.items():
        count = Count()
        for number, encoding in enumerate(list(ENCODINGS)[:n_encodings]):
            count.attempts += 1
            with tempfile.TemporaryDirectory(prefix="torture-key-") as folder:
                seen = _run(place, ENCODINGS[encoding](KEY), Path(folder), debug=number % 2 == 0)
            count.struck += "[redacted]" in seen.output or any(b"[redacted]" in text for text in seen.files.values())
            count.wrong += [f"{name}, written as {encoding}: {form}" for form in seen.forms()]
            if "Traceback" in seen.output and number % 2:
                count.wrong.append(f"{name}, written as {encoding}: a traceback")
        yield f"key in: {name}", count


def _run(place: Place, key: str, folder: Path, *, debug: bool) -> _Seen:
    campaign = freeze(folder / "data", [conversation("A boy with FEVER.", "Likely MEASLES.")])
    configs = _configs(folder / "configs", place.settings(key))
    answer = (lambda received: default_answer(received).replace(f'"{_REPLACED}"', json.dumps(place.answer(key)))) if (
        place.answer
    ) else default_answer  # fmt: skip
    output = io.StringIO()
    handler = logging.StreamHandler(output)
    root, level = logging.getLogger(), logging.getLogger().level
    with OpenAIServer(lambda _, __: place.step(key) if place.step else Answer(), answer=answer) as server:
        environment = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": server.base_url, **place.environment(key)}
        arguments = ["run-variants", "V2", "--data-dir", str(campaign.root), "--config-dir", str(configs)]
        if debug:
            root.addHandler(handler)
            root.setLevel(logging.DEBUG)
        try:
            with _environment(environment), contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
                run([*arguments, "--llm", "openai", *place.options(key)])
        finally:
            root.removeHandler(handler)
            root.setLevel(level)
    files = {
        path.name: gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in sorted(campaign.root.rglob("*"))
        if path.is_file()
    }
    return _Seen(output.getvalue(), files)


def _configs(folder: Path, settings: Mapping[str, object]) -> Path:
    from exaid_evals.config.campaign import configs_dir

    shutil.copytree(configs_dir(), folder)
    path = folder / "summarizer.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    retry = {"max_attempts": 2, "base_s": 0.01, "max_wait_s": 0.02}
    config["llm"] |= {"retry": retry, "timeout_s": 5.0, **settings}
    config["stub"]["concepts"] = "conversations:build_words"
    path.write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)
