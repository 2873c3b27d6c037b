"""Run a stage of EXAIM as published, with a model that answers at once and an extractor that needs no download.

    python upstream_stage.py CHECKOUT NAMES STAGE [ARGUMENT …]

`beside_upstream.py` calls it in an environment with upstream's packages. NAMES is a JSON list of the names that the
extractor finds.
"""

from __future__ import annotations

import enum
import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any

SUMMARY = {
    "status_action": "The doctors discussed the case.",
    "key_findings": "Fever, cough and a headache for three days.",
    "differential_rationale": "Pneumonia is likely.",
    "uncertainty_confidence": "Moderate confidence.",
    "recommendation_next_step": "Chest radiograph.",
    "agent_contributions": "Doctor0: 1 statement",
}
YES = {"rationale": "as asked", "stream_state": "TOPIC_SHIFT", "is_relevant": True, "is_complete": True}


class LLMRole(enum.Enum):
    """Upstream's roles, as its modules import them."""

    SUMMARIZER = "summarizer"
    BUFFER_AGENT = "buffer_agent"


class Instant:
    """Stands in for upstream's LangChain model: fills the schema that it is asked for, and nothing else."""

    model_name = "instant"

    def with_structured_output(self, schema: Any, **_: object) -> Any:
        """Return a runnable that gives the same answer to everything."""
        runnables = importlib.import_module("langchain_core.runnables")  # of upstream's environment
        fields = {**SUMMARY, **YES, "is_novel": True}
        answer = schema(**{name: fields[name] for name in schema.model_fields})
        return runnables.RunnableLambda(lambda _: answer)


def find_names(names: list[str]) -> Any:
    """Return a stand-in for `spacy.load`: a pipeline whose entities are the longest names in a text."""
    import spacy
    from spacy.language import Language
    from spacy.matcher import PhraseMatcher
    from spacy.util import filter_spans

    @Language.component("names")
    def _mark(doc: Any) -> Any:
        doc.ents = filter_spans(matcher(doc, as_spans=True))
        return doc

    nlp = spacy.blank("en")
    matcher = PhraseMatcher(nlp.vocab, attr="LOWER")
    matcher.add("name", list(nlp.pipe(names)))
    nlp.add_pipe("names")
    return lambda *_, **__: nlp


def main() -> int:
    """Replace what cannot be had, then call the stage."""
    checkout, names, stage, *arguments = sys.argv[1:]
    sys.path.insert(0, checkout)
    infra: Any = types.ModuleType("infra")
    infra.get_llm, infra.LLMRole = lambda *_, **__: Instant(), LLMRole
    sys.modules["infra"] = infra
    if stage == "compute_metrics":
        import spacy

        spacy.load = find_names(json.loads(Path(names).read_text(encoding="utf-8")))
    sys.argv = [stage, *arguments]
    return int(importlib.import_module(f"evals.cli.{stage}").main() or 0)


if __name__ == "__main__":
    sys.exit(main())
