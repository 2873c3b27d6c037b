"""The paper's extractor: named entities of a spaCy pipeline, by default scispaCy's ``en_core_sci_sm``.

An entity's id is ``ENT:`` and its normalised surface, so two spellings are one concept only where lower case,
white space and canonical punctuation make them equal: the paper links nothing to an ontology.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from exaid_evals.concepts.base import Mention
from exaid_evals.errors import ConfigError, MissingDependencyError

ALGORITHM = "scispacy-1"

DEFAULT_MODEL = "en_core_sci_sm"
DEFAULT_MIN_LEN = 3

_PUNCTUATION = str.maketrans(
    dict.fromkeys("‐‑‒–—―−", "-") | dict.fromkeys("‘’‛′`´", "'") | dict.fromkeys("“”„″", '"') | {"\u00a0": " "}
)
_SPACE = re.compile(r"\s+")
_EDGES = " \t\n.,;:!?'\"()[]{}<>*_-/\\"


def surface(text: str) -> str:
    """Normalise an entity's surface: lower case, canonical dashes and quotes, single spaces, no marks at its ends."""
    return _SPACE.sub(" ", text.translate(_PUNCTUATION).lower()).strip(_EDGES)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a configuration may say about this extractor.

    Attributes:
        model: name of an installed pipeline, or path of a saved one.
        entity_types_kept: ``("ALL",)``, or the entity labels to keep.
        min_entity_len: shortest normalised surface, in code points.
    """

    model: str = DEFAULT_MODEL
    entity_types_kept: tuple[str, ...] = ("ALL",)
    min_entity_len: int = DEFAULT_MIN_LEN

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Settings:
        """Check a configuration's section.

        Raises:
            ConfigError: unknown keys or wrong types, all of them at once.
        """
        problems = []
        known = ("model", "entity_types_kept", "min_entity_len")
        if unknown := sorted(set(raw) - set(known)):
            problems.append(
                ConfigError(f"unknown scispacy settings {', '.join(unknown)}", remedy=f"known are {', '.join(known)}")
            )
        model = raw.get("model", DEFAULT_MODEL)
        if not isinstance(model, str) or not model:
            problems.append(ConfigError(f"model is {model!r}", remedy="give the name or path of a spaCy pipeline"))
        kept = raw.get("entity_types_kept", "ALL")
        kept = [kept] if isinstance(kept, str) else kept
        if not isinstance(kept, list | tuple) or not kept or not all(isinstance(label, str) for label in kept):
            problems.append(ConfigError(f"entity_types_kept is {kept!r}", remedy="give ALL or a list of labels"))
        length = raw.get("min_entity_len", DEFAULT_MIN_LEN)
        if not isinstance(length, int) or isinstance(length, bool) or length < 1:
            problems.append(ConfigError(f"min_entity_len is {length!r}", remedy="give a whole number from 1"))
        if problems:
            raise ConfigError.of(problems)
        return cls(model, tuple(sorted(kept)), length)


class SciSpacyExtractor:
    """Entities of a pipeline, filtered as the paper filters them.

    Args:
        settings: model and filters.
        stop_entities: surfaces that are never concepts.

    Raises:
        MissingDependencyError: the model is not installed or does not load.
        ConfigError: the pipeline recognises no entities.
    """

    def __init__(self, settings: Settings, stop_entities: frozenset[str]) -> None:
        self._settings = settings
        self._stop = frozenset(map(surface, stop_entities))
        self._nlp = _load(settings.model)
        if "ner" not in self._nlp.pipe_names:
            raise ConfigError(
                f"the spaCy pipeline {settings.model!r} has no named-entity recogniser (ner)",
                where="extractor.settings.model",
                remedy="name a pipeline that has one, such as en_core_sci_sm",
            )
        # Only what entities need: tok2vec feeds ner; tagging and parsing cost most of the time.
        self._disabled = [name for name in self._nlp.pipe_names if name not in ("tok2vec", "transformer", "ner")]
        meta = self._nlp.meta
        self._model = f"{meta.get('lang')}_{meta.get('name')}-{meta.get('version')}"
        facts = [
            self._model,
            _weights_sha256(self._nlp),
            sorted(self._stop),
            list(settings.entity_types_kept),
            settings.min_entity_len,
        ]
        self._hash = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    @property
    def id(self) -> str:
        """Algorithm, model with version, and hash of weights, filters and stop list."""
        return f"{ALGORITHM}/{self._model}:{self._hash[:8]}"

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find entities; see the protocol. The paper filters no negation, so nor does this."""
        kept = self._settings.entity_types_kept
        results = []
        for doc in self._nlp.pipe(texts, disable=self._disabled, batch_size=64):
            found = set()
            for entity in doc.ents:
                name = surface(entity.text)
                if len(name) < self._settings.min_entity_len or name in self._stop:
                    continue
                if kept == ("ALL",) or entity.label_ in kept:
                    found.add(Mention(f"ENT:{name}", entity.start_char, entity.end_char))
            results.append(tuple(sorted(found, key=lambda mention: (mention.start, mention.end, mention.concept_id))))
        return results


def _load(model: str) -> Any:
    """Load a pipeline by name or path."""
    try:
        import spacy

        return spacy.load(model)
    except Exception as error:  # a model of another spaCy raises ValueError, KeyError, E-coded errors, …
        if Path(model).exists() or "/" in model:
            remedy = "give the folder that nlp.to_disk(…) wrote with spaCy 3.7"
        elif model.startswith("en_core_sci"):
            remedy = (
                "run: pip install --no-deps scispacy==0.5.4, then pip install --no-deps the archive "
                f"{model}-0.5.4.tar.gz from scispaCy's public release page; or take --extractor lexicon"
            )
        else:
            remedy = f"install the spaCy pipeline {model}, or take --extractor lexicon"
        first = str(error).strip().partition("\n")[0]
        raise MissingDependencyError(
            f"cannot load the spaCy pipeline {model!r} ({first})", where="extractor.settings.model", remedy=remedy
        ) from error


def _weights_sha256(nlp: Any) -> str:
    """Hash of the recogniser's parameters: two models may carry one name and version."""
    digest = hashlib.sha256()
    for name in ("tok2vec", "ner"):
        if name in nlp.pipe_names:
            for node in nlp.get_pipe(name).model.walk():
                for parameter in sorted(node.param_names):
                    if node.has_param(parameter):
                        digest.update(node.name.encode() + parameter.encode())
                        digest.update(node.get_param(parameter).tobytes())
    return digest.hexdigest()


def build(settings: Mapping[str, Any], *, stop_entities: frozenset[str]) -> SciSpacyExtractor:
    """Make the extractor from a configuration.

    Args:
        settings: ``model``, ``entity_types_kept``, ``min_entity_len``.
        stop_entities: surfaces that are never concepts.

    Raises:
        ConfigError: a setting is unknown or has a wrong type.
        MissingDependencyError: the model does not load.
    """
    return SciSpacyExtractor(Settings.of(settings), stop_entities)
