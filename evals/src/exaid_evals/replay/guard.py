"""Parts that somebody else wrote: what they raise, or give back in place of what they should, fails one case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from exaid_evals.artifacts.text_units import field_problems, text_problems
from exaid_evals.clients.base import Usage
from exaid_evals.concepts.base import Extractor, Mention, concept_ids
from exaid_evals.concepts.lexicon import LexiconExtractor
from exaid_evals.errors import CaseFailedError, ExaidError, show_if_debugging
from exaid_evals.middleware.gates import Chunk, Piece
from exaid_evals.middleware.summarizers import Update
from exaid_evals.middleware.triggers import Verdict


@contextmanager
def part(variant_id: str | None, noun: str, kind: str, case_id: str | None) -> Iterator[None]:
    """Name the part in whatever goes wrong inside the block.

    Args:
        variant_id: of the variant concerned; None where several are.
        noun: `gate`, `measure`, …
        kind: the part's name in the configuration.
        case_id: None where it is not known here.

    Raises:
        CaseFailedError: the part raised something that is not of this package, which is kept as the cause.
    """
    try:
        yield
    except ExaidError:
        raise
    except Exception as error:
        show_if_debugging(error)
        on_case = f" on {case_id}" if case_id else ""
        what = f"{noun} {kind} failed{on_case}: {type(error).__name__}: {error}"
        raise CaseFailedError(what, where=variant_id) from error


class GuardedExtractor:
    """An extractor whose failures are those of a case.

    Attributes:
        id: the inner extractor's.
    """

    def __init__(self, inner: Extractor, kind: str, case_id: str | None = None) -> None:
        """Guard an extractor, which the configuration calls `kind`, while it reads a case."""
        self.id = inner.id
        self._inner = inner
        self._kind = kind
        self._case_id = case_id

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find mentions.

        Raises:
            CaseFailedError: the extractor raised something, or gave no mentions of these texts.
        """
        with part(None, "extractor", self._kind, self._case_id):
            found = [tuple(mentions) for mentions in self._inner.mentions(texts)]
            if len(found) != len(texts):
                raise TypeError(f"`mentions` returns {len(found)} tuples for {len(texts)} texts")
            for text, mentions in zip(texts, found, strict=True):
                length = len(text)
                for mention in mentions:
                    if type(mention) is not Mention or type(mention.concept_id) is not str:
                        _require(mention, Mention, "`mentions` gives")
                        _require(mention.concept_id, str, "Mention.concept_id is")
                    if not 0 <= mention.start <= mention.end <= length:
                        raise ValueError(f"{mention} does not lie in its text of {len(text)} characters")
            return found
        raise AssertionError  # the block above returns or raises

    def concept_sets(self, texts: Sequence[str]) -> list[frozenset[str]]:
        """Return the ids that each text affirms; the lexicon need not say where.

        Raises:
            CaseFailedError: as `mentions` does.
        """
        if not isinstance(self._inner, LexiconExtractor) or type(self._inner).mentions is not LexiconExtractor.mentions:
            return list(map(concept_ids, self.mentions(texts)))
        with part(None, "extractor", self._kind, self._case_id):
            return self._inner.concept_sets(texts)
        raise AssertionError  # the block above returns or raises

    def read_ahead(self, texts: Sequence[str]) -> None:
        """Let the lexicon read at once what will be asked about piece by piece; other extractors wait until then."""
        if isinstance(self._inner, LexiconExtractor):
            self._inner.read_ahead(texts)


def checked_chunk(chunk: object) -> Chunk:
    """Return what a gate let go.

    Raises:
        TypeError: it is not a chunk.
    """
    _require(chunk, Chunk, "a gate's methods give")
    assert isinstance(chunk, Chunk)  # noqa: S101 - for the type checker
    if not chunk.pieces or set(map(type, chunk.pieces)) != {Piece}:
        raise TypeError("Chunk.pieces holds something else than the pieces that a gate was given, or nothing")
    _require_time(chunk.t_ms, "Chunk.t_ms")
    _require(chunk.reason, str, "Chunk.reason is")
    return chunk


def checked_verdict(verdict: object) -> Verdict:
    """Return what a trigger decided.

    Raises:
        TypeError: it is not a verdict.
    """
    _require(verdict, Verdict, "`decide` returns")
    assert isinstance(verdict, Verdict)  # noqa: S101 - for the type checker
    _require(verdict.decision, str, "Verdict.decision is")
    _require(verdict.filters, Mapping, "Verdict.filters is")
    _require_cost(verdict.usage, verdict.latency_ms, "Verdict")
    return verdict


def checked_update(update: object) -> Update:
    """Return what a summarizer made; fields that break the schema make it a failed update that says why.

    Raises:
        TypeError: it is not an update.
        ValueError: its texts are not those of its fields.
    """
    _require(update, Update, "`summarize` returns")
    assert isinstance(update, Update)  # noqa: S101 - for the type checker
    _require_cost(update.usage, update.latency_ms, "Update")
    error = update.error
    if error is None and update.content is not None and (problems := field_problems(update.content)):
        error = "; ".join(problems)
    if error is not None:
        _require(error, str, "Update.error is")
        return Update(None, "", "", error or "no reason given", update.usage, update.latency_ms)
    _require(update.semantics_text, str, "Update.semantics_text is")
    _require(update.rendered_text, str, "Update.rendered_text is")
    for text in (update.semantics_text, update.rendered_text):
        text.encode()  # half a surrogate pair is not text that a file can hold
    for problem in text_problems(update.content, update.semantics_text, update.rendered_text):
        raise ValueError(f"{problem}: make both texts with `render`")
    return update


def _require(value: object, kind: type[Any], what: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{what} {type(value).__name__}, and must be {kind.__name__}")


def _require_time(value: object, what: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{what} is {value!r:.40}, and must be a whole number of ms from 0")


def _require_cost(usage: object, latency_ms: object, what: str) -> None:
    if usage is not None:
        _require(usage, Usage, f"{what}.usage is")
    _require_time(latency_ms, f"{what}.latency_ms")
