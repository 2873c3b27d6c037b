"""The stub's rules for the trigger's three questions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exaid_evals.clients.base import ConceptReader
from exaid_evals.config.summarizer import StubLLMConfig

_CLOSING = "\"'”’)]}*_ \t\r\n"
_ENDS = (".", "?", "!", ":", "}", "]")


def decide(inputs: Mapping[str, Any], config: StubLLMConfig, read_concepts: ConceptReader) -> dict[str, bool]:
    """Answer the enabled filters.

    - completeness: the window ends a sentence or a line, or nothing more will come;
    - value: it states at least `min_concepts` concepts;
    - novelty: at least `min_new_concepts` of them stand in none of the summaries that it is shown.

    Args:
        inputs: `window` (text), `history` (rendered summaries), `filters` (names), `final` (bool).
        config: the thresholds.
        read_concepts: finds the concepts of texts.

    Returns:
        Filter name → answer, for the enabled filters alone.
    """
    window: str = inputs["window"]
    stated, *shown = read_concepts([window, *inputs["history"]])
    answers = {
        "completeness": bool(inputs["final"]) or _ends_a_thought(window),
        "value": len(stated) >= config.min_concepts,
        "novelty": len(stated.difference(*shown)) >= config.min_new_concepts,
    }
    return {name: answers[name] for name in inputs["filters"]}


def _ends_a_thought(window: str) -> bool:
    if window.endswith("\n"):
        return True
    return window.rstrip(_CLOSING).endswith(_ENDS) or window.rstrip().endswith(("}", "]"))
