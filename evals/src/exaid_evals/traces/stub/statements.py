"""What messages are built of: statements that know which phrase of the case they state, and in which form."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MentionKind(StrEnum):
    """How a statement names a phrase of the case."""

    CANONICAL = "canonical"
    SYNONYM = "synonym"
    INFLECTED = "inflected"
    ABBREVIATED = "abbreviated"
    NEGATED = "negated"
    NEAR_MISS = "near_miss"


@dataclass(frozen=True, slots=True)
class Mention:
    """One phrase in one form.

    Attributes:
        kind: the form.
        surface: the words as they stand in the statement.
        source: the phrase of the case, or the diagnosis, that they stand for.
    """

    kind: MentionKind
    surface: str
    source: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence or line of a message."""

    text: str
    mentions: tuple[Mention, ...] = ()


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
        return "\n\n".join(block.text for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (joined by blanks) or a list (joined by line breaks)."""

    statements: tuple[Statement, ...]
    joint: str = " "

    @property
    def text(self) -> str:
        """The block's text."""
        return self.joint.join(statement.text for statement in self.statements)
