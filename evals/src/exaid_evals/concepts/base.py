"""What every extractor is, and what it finds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Literal, NamedTuple, Protocol, runtime_checkable


class Mention(NamedTuple):
    """One place of a text that names a concept.

    Attributes:
        concept_id: the concept, with its source: ``HP:0001250``.
        start: first code point of the mention.
        end: one past its last code point, so that ``text[start:end]`` is the mention.
        negated: whether the text denies it.
        experiencer: of whom it is said: ``patient`` or ``other``.
        nested: whether it is part of a longer mention that says more: *ataxia* in *gait ataxia*.
    """

    concept_id: str
    start: int
    end: int
    negated: bool = False
    experiencer: Literal["patient", "other"] = "patient"
    nested: bool = False


@runtime_checkable
class Extractor(Protocol):
    """Finds the concepts that a text affirms. A text's result depends on that text alone."""

    @property
    def id(self) -> str:
        """Algorithm version and 8 hex digits of all that determines the output: ``lexicon-2:1a2b3c4d``."""

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find mentions.

        Args:
            texts: any number of texts.

        Returns:
            One tuple per text: affirmed mentions only, ordered by start, end and id.
        """


@runtime_checkable
class AnnotatingExtractor(Extractor, Protocol):
    """An extractor that also shows what it leaves out of `mentions`, and knows its concepts by name."""

    def annotate(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find every mention, denied ones and those of other people included, each marked as such.

        Args:
            texts: any number of texts.

        Returns:
            One tuple per text, ordered by start, end and id.
        """

    def name_of(self, concept_id: str) -> str:
        """Preferred name of a concept; its id where it has none."""


def held_out(extractor: Extractor, seed: int | None) -> bool | None:
    """State whether stub conversations of a seed were kept from sight while an extractor was built.

    An extractor says so by an attribute `development_seeds`, the seeds whose conversations its authors have looked at.
    Measured on any other, its precision and recall are those of a held-out test.

    Args:
        extractor: any; the attribute is optional.
        seed: of the generator; None where the conversation was not generated.

    Returns:
        None where there is no seed, or the extractor does not say.
    """
    seen = getattr(extractor, "development_seeds", None)
    return None if seed is None or seen is None else seed not in seen


def concept_ids(mentions: Iterable[Mention]) -> frozenset[str]:
    """The set of concepts that some mentions state."""
    return frozenset(mention.concept_id for mention in mentions)


class CachedExtractor:
    """An extractor that remembers what it found in each text, for callers that ask about the same texts again.

    Attributes:
        inner: the extractor that does the work.
        remembers: how many texts it keeps, the newest; None keeps all, for callers with few.
    """

    def __init__(self, inner: Extractor, *, remembers: int | None = None) -> None:
        self.inner = inner
        self.remembers = remembers
        self._found: dict[str, tuple[Mention, ...]] = {}

    @property
    def id(self) -> str:
        """The inner extractor's id: remembering changes no result."""
        return self.inner.id

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find mentions, asking the inner extractor once about each distinct text that is new."""
        new = [text for text in dict.fromkeys(texts) if text not in self._found]
        if new:
            self._found.update(zip(new, self.inner.mentions(new), strict=True))
        found = [self._found[text] for text in texts]
        if self.remembers is not None:
            for text in list(islice(self._found, max(len(self._found) - self.remembers, 0))):
                del self._found[text]
        return found

    def concepts(self, text: str) -> frozenset[str]:
        """The ids that one text affirms."""
        return concept_ids(self.mentions([text])[0])
