"""What a server answers by itself: by the stub model's rules, read from the prompt, so that all variants run live."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from exaid_evals.clients.stub import decide, write_summary
from exaid_evals.config.variant import StubLLMConfig
from servers.steps import Received

_WORD = re.compile(r"[A-Za-z]{6,}")
_TURN = re.compile(r"^\[(\w+)\] ", re.MULTILINE)
_CONFIG = StubLLMConfig()


def default_answer(received: Received) -> str:
    """Answer as the stub model would, from the prompt alone; a prompt that is none of ours gets a fixed text."""
    system, prompt = received.messages[0][1], received.messages[1][1] if len(received.messages) > 1 else ""
    if "NEW WORDS\n" in prompt:
        history, _, rest = prompt.partition("\n\nNEW WORDS\n")
        window, _, questions = rest.rpartition("\n\nAnswer true or false:\n")
        filters = [line.partition(":")[0] for line in questions.splitlines()]
        text = "\n".join(text for _, text in _turns(window))
        inputs = {"window": text, "history": _history(history), "filters": filters, "final": False}
        return json.dumps(decide(inputs, _CONFIG, _read_words))
    if "DISCUSSION SINCE THEN\n" in prompt:
        history, _, window = prompt.partition("\n\nDISCUSSION SINCE THEN\n")
        return json.dumps(write_summary({"turns": _turns(window), "history": _history(history)}, _CONFIG, _read_words))
    return f"An answer to {len(received.messages)} messages that begin with: {' '.join(system.split()[:8])}"


def _history(text: str) -> list[str]:
    body = text.removeprefix("EARLIER UPDATES\n")
    return [] if body == "(none)" else body.split("\n---\n")


def _turns(text: str) -> list[tuple[str, str]]:
    parts = _TURN.split(text)[1:]
    return [(agent, said.rstrip("\n")) for agent, said in zip(parts[::2], parts[1::2], strict=True)]


def _read_words(texts: Sequence[str]) -> list[frozenset[str]]:
    """Take every longer word for a concept: enough for a deterministic answer."""
    return [frozenset(word.lower() for word in _WORD.findall(text)) for text in texts]
