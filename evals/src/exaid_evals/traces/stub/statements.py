"""What messages are built of: statements that know which phrase of the case they state, where, and in which form."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from string import Formatter
from typing import TypeVar

import numpy as np

from exaid_evals.artifacts.gold import MentionKind
from exaid_evals.config.mas_generation import LogNormal

Item = TypeVar("Item")


class Sampler:
    """Draws from a stream that is seeded by the generation's seed, the case and the purpose.

    No case's draws depend on another's, and none of a purpose's on another's: planting failures does not change
    what the other cases say, and a new pause does not change a word.
    """

    def __init__(self, seed: int, case_id: str, purpose: str) -> None:
        digest = hashlib.sha256(f"{seed}\0{case_id}\0{purpose}".encode()).digest()
        self._rng = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "big")))

    def chance(self, probability: float) -> bool:
        """Return True with a probability."""
        return self._rng.random() < probability

    def below(self, n: int) -> int:
        """Return one of 0 … n − 1, each as likely."""
        return int(self._rng.random() * n)

    def pick(self, items: Sequence[Item]) -> Item:
        """Return one of the items, each as likely."""
        return items[self.below(len(items))]

    def sample(self, items: Sequence[Item], n: int) -> list[Item]:
        """Return up to `n` different items in random order."""
        pool = list(items)
        return [pool.pop(self.below(len(pool))) for _ in range(min(n, len(pool)))]

    def binomial(self, n: int, probability: float) -> int:
        """Return the number of successes in `n` trials."""
        return sum(self.chance(probability) for _ in range(n))

    def log_normal(self, law: LogNormal) -> float:
        """Return a value of a cut-off log-normal distribution."""
        value = law.median * math.exp(law.sigma * self._rng.standard_normal())
        return min(max(value, law.low), law.high)


__all__ = ["Block", "Mention", "MentionKind", "Statement", "Turn", "filled"]


@dataclass(frozen=True, slots=True)
class Mention:
    """One phrase in one form.

    Attributes:
        kind: the form.
        surface: the words as they stand in the text, but for the case of the first letter.
        source: the phrase of the case, or the diagnosis, that they stand for.
        start: where they stand, in code points of the text that holds them.
    """

    kind: MentionKind
    surface: str
    source: str
    start: int = 0

    @property
    def end(self) -> int:
        """One past the last code point."""
        return self.start + len(self.surface)

    def moved(self, by: int) -> Mention:
        """Return the mention in a text that has more before it."""
        return Mention(self.kind, self.surface, self.source, self.start + by) if by else self


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or line of a message, or a piece of one."""

    text: str
    mentions: tuple[Mention, ...] = ()

    @classmethod
    def naming(cls, mention: Mention) -> Statement:
        """Return the words of a mention alone."""
        return cls(mention.surface, (mention.moved(-mention.start),))

    def between(self, before: str, after: str = "") -> Statement:
        """Return the statement with text around it."""
        return Statement(f"{before}{self.text}{after}", tuple([one.moved(len(before)) for one in self.mentions]))

    def capitalised(self) -> Statement:
        """Return the statement with a capital at its head."""
        return self._headed(self.text[:1].upper())

    def lowered(self) -> Statement:
        """Return the statement with a small letter at its head."""
        return self._headed(self.text[:1].lower())

    def _headed(self, head: str) -> Statement:
        # A few letters are two in the other case, which moves all that follows them.
        grown = len(head) - len(self.text[:1])
        changed = (
            mention.moved(grown) if mention.start else replace(mention, surface=head + mention.surface[1:])
            for mention in self.mentions
        )
        return Statement(head + self.text[1:], tuple(changed))


@lru_cache(maxsize=1024)
def _parsed(template: str) -> tuple[tuple[str, str | None], ...]:
    """Return the literals of a template, each with the slot behind it."""
    return tuple((literal, slot) for literal, slot, _, _ in Formatter().parse(template))


def filled(template: str, parts: Mapping[str, Statement]) -> Statement:
    """Fill a template's slots.

    >>> fever = Mention(MentionKind.CANONICAL, "fever", "fever")
    >>> filled("The {a} counts.", {"a": Statement.naming(fever)}).mentions[0].start
    4
    """
    text = ""
    mentions: list[Mention] = []
    for literal, slot in _parsed(template):
        text += literal
        if slot is not None:
            part = parts[slot]
            mentions += [mention.moved(len(text)) for mention in part.mentions]
            text += part.text
    return Statement(text, tuple(mentions))


@dataclass(frozen=True, slots=True)
class Turn:
    """One message: an agent and the blocks of statements that it consists of.

    Attributes:
        agent_id: who speaks.
        blocks: paragraphs and lists, each a sequence of statements and what joins them.
    """

    agent_id: str
    blocks: tuple[Block, ...]

    @property
    def content(self) -> str:
        """The message's text."""
        return _BETWEEN_BLOCKS.join(block.text for block in self.blocks)

    @property
    def mentions(self) -> Iterator[Mention]:
        """The mentions of all statements, where they stand in the message's text."""
        offset = 0
        for block in self.blocks:
            for statement in block.statements:
                for mention in statement.mentions:
                    yield mention.moved(offset)
                offset += len(statement.text) + len(block.joint)
            offset += len(_BETWEEN_BLOCKS) - (len(block.joint) if block.statements else 0)


_BETWEEN_BLOCKS = "\n\n"


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (joined by blanks) or a list (joined by line breaks)."""

    statements: tuple[Statement, ...]
    joint: str = " "

    @property
    def text(self) -> str:
        """The block's text."""
        return self.joint.join(statement.text for statement in self.statements)
