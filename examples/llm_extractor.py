"""A concept extractor that asks a language model: `extractor: {name: "llm_extractor:build", settings: {…}}`.

Answers are recorded in the folder `recordings` and never asked for twice; with `calls: 0` nothing but the recordings is
read, so that others repeat the result without a key. What the model says is checked: a phrase must stand in the text,
an id must be a phenotype of HPO, else it is left out and counted in `refused`.
"""

import hashlib
import json
from pathlib import Path

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.clients.base import Budget, CallContext, ChatMessage, LLMRequest
from exaid_evals.clients.cassette import Recorder
from exaid_evals.clients.registry import build_client
from exaid_evals.clients.replay import RecordingClient
from exaid_evals.concepts import Mention
from exaid_evals.config.variant import SummarizerConfig
from exaid_evals.errors import LLMError
from exaid_evals.ontologies.hpo import load, primary_id

PROMPT = """List every phenotype that the text states, as JSON. For each give the phrase exactly as the text writes it,
the identifier of the Human Phenotype Ontology (HP:0000000), and whether the text denies it. List nothing else.

Text:
"""
ITEM = {
    "type": "object",
    "properties": {"phrase": {"type": "string"}, "id": {"type": "string"}, "negated": {"type": "boolean"}},
    "required": ["phrase", "id", "negated"],
    "additionalProperties": False,
}
SCHEMA = {
    "type": "object",
    "properties": {"concepts": {"type": "array", "items": ITEM}},
    "required": ["concepts"],
    "additionalProperties": False,
}


class LLMExtractor:
    """Mentions as a model sees them; a text's result depends on that text and the recordings alone."""

    def __init__(self, client, folder, calls):
        self._client = RecordingClient(client, Recorder(folder, read_only=calls == 0), Budget(max_calls=calls))
        self._names = {term.id: term.name for term in load().terms}
        self.refused = 0
        asked = [client.name, client.model, dict(client.parameters), PROMPT, SCHEMA]
        self._run = sha256_structure(asked).replace("sha256:", "eval-")[:21]
        self.id = f"llm-1:{self._run[5:13]}"

    def mentions(self, texts):
        """Affirmed mentions."""
        return [tuple(one for one in found if not one.negated) for found in self.annotate(texts)]

    def annotate(self, texts):
        """Every mention, denied ones too."""
        return [self._annotate(text) for text in texts]

    def name_of(self, concept_id):
        """Preferred name of a phenotype."""
        return self._names.get(concept_id, concept_id)

    def _annotate(self, text):
        if not text.strip():
            return ()
        case = f"case-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        asked = self._client.bind(CallContext(self._run, "V0", case))
        answer = asked.complete(LLMRequest("concepts", (ChatMessage("user", PROMPT + text),), SCHEMA))
        try:
            listed = [
                (str(one["phrase"]), str(one["id"]), one["negated"]) for one in json.loads(answer.text)["concepts"]
            ]
        except (ValueError, KeyError, TypeError) as error:
            raise LLMError(f"no list of concepts: {answer.text[:80]!r}", remedy="try another model") from error
        found = set()
        for phrase, identifier, negated in listed:
            place, identifier = text.find(phrase) if phrase else -1, primary_id(identifier)
            if place < 0 or identifier not in self._names:
                self.refused += 1
            else:
                found.add(Mention(identifier, place, place + len(phrase), bool(negated)))
        return tuple(sorted(found, key=lambda one: (one.start, one.end, one.concept_id)))


def build(settings, **_stop_entities):
    """Make it. Settings: `llm` as in summarizer.yaml, `recordings` (a folder), `calls` (at most; 0: no live ones)."""
    config = SummarizerConfig.model_validate({"llm": settings.get("llm", {"client": "openai"})})
    client = build_client(config, read_concepts=lambda texts: [frozenset() for _ in texts], reader_id="none")
    return LLMExtractor(client, Path(settings["recordings"]), settings.get("calls"))
