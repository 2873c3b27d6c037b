"""What an extractor found in the texts of a conversation and its updates, kept from call to call.

Stage 02 leaves it for stage 03, and stage 03 for the next time it is asked for other measures of the same runs. It lies
in the user's own folder of caches, a file for each conversation: nothing of it is a result, and losing it costs time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

from exaid_evals.artifacts import cache
from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.ledger import source_hash
from exaid_evals.concepts.base import Extractor, Mention
from exaid_evals.concepts.registry import extractor_source

_FOLDER = "concepts"
_MOST_TEXTS = 5000
"""Of one conversation; the oldest are dropped. Five variants ask about some eighty."""
_MOST_BYTES = 256 << 20
"""Of all conversations, the oldest of which are dropped, and of what one process writes."""
_NEGATED, _OTHER, _NESTED = 1, 2, 4
_FIELDS = 4  # of a mention in a file: which of the file's ids, start, end, flags

_Known = dict[str, tuple[Mention, ...]]
"""Hash of a text → its mentions."""


class KeptConcepts:
    """Keeps what one of the extractors that ship finds; of any other nothing is known that says when it has changed.

    Attributes:
        id: the extractor's.
    """

    def __init__(self, extractor: Extractor, kind: str, *, fresh: bool = False) -> None:
        """Keep nothing yet.

        Args:
            extractor: finds concepts.
            kind: its name in the configuration.
            fresh: whether to read nothing of what is kept.
        """
        self.id = extractor.id
        self._fresh = fresh
        self._ships = extractor_source(kind) is None
        self._left = _MOST_BYTES

    def of(self, trace_sha256: str, extractor: Extractor) -> KeptExtractor:
        """Return an extractor that reads what is kept of a conversation, and asks the given one for the rest."""
        if not self._ships:
            return KeptExtractor(extractor, {})
        value = {"extractor": self.id, "trace": trace_sha256, "source": source_hash()}
        name = f"{sha256_structure(value).removeprefix('sha256:')[:32]}.json"
        places = [folder / _FOLDER / name for folder in cache.folders()]
        kept: Any = {} if self._fresh else next((found for path in places if (found := cache.read(path))), {})
        return KeptExtractor(extractor, dict(_checked(kept)), places)

    def save(self, found: KeptExtractor) -> None:
        """Keep what was found anew, in the first folder that takes it."""
        if not found.changed or self._left <= 0:
            return
        for path in found.places:
            with contextlib.suppress(OSError):
                cache.write(path, _as_value(found.known))
                self._left -= path.stat().st_size
                return


class KeptExtractor:
    """An extractor that knows what is kept of one conversation.

    Attributes:
        id: the extractor's.
        known: hash of a text → its mentions.
        places: where that may lie, best first.
        changed: whether there is more now than was read.
    """

    def __init__(
        self, extractor: Extractor, known: dict[str, tuple[Mention, ...]], places: Sequence[Path] = ()
    ) -> None:
        self.id = extractor.id
        self.known = known
        self.places = places
        self.changed = False
        self._extractor = extractor

    def mentions(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Find mentions, asking the extractor once about each distinct text that is new."""
        if not self.places:
            return self._extractor.mentions(texts)
        hashes = [blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest() for text in texts]
        # A mention that does not lie in its text is none of this text: the file was tampered with.
        new = {
            digest: text
            for digest, text in zip(hashes, texts, strict=True)
            if (mentions := self.known.get(digest)) is None or any(one.end > len(text) for one in mentions)
        }
        if new:
            self.known.update(zip(new, self._extractor.mentions(list(new.values())), strict=True))
            self.changed = True
        return [self.known[digest] for digest in hashes]


def forget_old_concepts() -> None:
    """Remove the oldest of what is kept, where it is more than 256 MB."""
    for folder in cache.folders():
        with contextlib.suppress(OSError):
            files = [(path.stat(), path) for path in (folder / _FOLDER).iterdir()]
            files.sort(key=lambda file: -file[0].st_mtime_ns)
            total = 0
            for stat, path in files:
                total += stat.st_size
                if total > _MOST_BYTES:
                    path.unlink(missing_ok=True)


def _as_value(known: Mapping[str, tuple[Mention, ...]]) -> dict[str, Any]:
    ids: dict[str, int] = {}
    texts = {}
    for digest, mentions in islice(known.items(), max(len(known) - _MOST_TEXTS, 0), None):
        texts[digest] = numbers = list[int]()
        for one in mentions:
            flags = _NEGATED * one.negated + _OTHER * (one.experiencer == "other") + _NESTED * one.nested
            numbers += (ids.setdefault(one.concept_id, len(ids)), one.start, one.end, flags)
    return {"ids": list(ids), "texts": texts}


def _checked(value: Any) -> Iterator[tuple[str, tuple[Mention, ...]]]:
    """Yield what a file holds of texts; nothing, or no more, where it is not as it was written."""
    with contextlib.suppress(AttributeError, ValueError, TypeError, KeyError, IndexError):
        ids, texts = value["ids"], value["texts"]
        if set(map(type, ids)) - {str}:
            return
        for digest, numbers in texts.items():
            if set(map(type, numbers)) - {int} or len(numbers) % _FIELDS or min(numbers, default=0) < 0:
                return
            places = iter(numbers)
            mentions = tuple(
                Mention(
                    ids[index],
                    start,
                    end,
                    bool(flags & _NEGATED),
                    "other" if flags & _OTHER else "patient",
                    bool(flags & _NESTED),
                )
                for index, start, end, flags in zip(places, places, places, places, strict=True)
                if start <= end
            )
            if len(mentions) * _FIELDS != len(numbers):
                return
            yield digest, mentions
