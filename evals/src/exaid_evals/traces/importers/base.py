"""What an importer is: it claims a file by looking, and reads conversations out of it, or says what does not map.

To add one, write a file and name it here; other packages use an entry point.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from exaid_evals.config.plugins import Kind
from exaid_evals.errors import DataError
from exaid_evals.traces.importers.source import Source

Keys = tuple[str | int, ...]
# What a message of these roles says is said to a model, or by a tool, and is not speech of an agent.
NO_SPEECH = frozenset({"system", "developer", "tool", "function"})
# Roles that tell speakers apart where messages carry no names.
SPEAKING_ROLES = frozenset({"user", "assistant", "human", "ai"})
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,79}")


@dataclass(frozen=True, slots=True)
class Spot:
    """Where something stands in a file.

    Attributes:
        line: counted from 1; None inside a JSON document, where `keys` lead to it.
        keys: the way to it from the document's or the line's root.
        shown: the way as the user reads it; differs from `keys` where those would be too long.
    """

    line: int | None
    keys: Keys = ()
    shown: Keys = ()

    def below(self, *more: str | int) -> Spot:
        """Return the place of something inside."""
        return Spot(self.line, (*self.keys, *more), (*self.shown, *more))

    @property
    def field(self) -> str:
        """The way as text, such as `messages[3].content`; empty for the root.

        >>> Spot(1).below("messages", 3, "content").field, Spot(1).below("a b").field
        ('messages[3].content', "'a b'")
        """
        text = ""
        for key in self.shown:
            if isinstance(key, int):
                text += f"[{key}]"
            else:
                text += ("." if text else "") + (key if _PLAIN_KEY.fullmatch(key) else f"{key[:80]!r}")
        return text


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a file that has no place in a trace.

    Attributes:
        spot: where.
        what: what it is, as one clause.
        remedy: what to do.
        kind: its short name, for counting.
        damage: whether the file is broken here; what is merely unmapped may be left out, damage may not.
    """

    spot: Spot
    what: str
    remedy: str
    kind: str
    damage: bool = False


@dataclass(frozen=True, slots=True)
class Moment:
    """When something was said: ms since 1970 where `absolute`, else since some moment of the conversation."""

    ms: int
    absolute: bool


@dataclass(frozen=True, slots=True)
class When:
    """What a file says of a message's time; nothing is made up where it does not.

    Attributes:
        start: when its first character was there, or its making began.
        end: when it was complete.
        stream: `(moment, n_chars)` chunks in order of arrival.
    """

    start: Moment | None = None
    end: Moment | None = None
    stream: tuple[tuple[Moment, int], ...] = ()

    @property
    def moments(self) -> tuple[Moment, ...]:
        """Every moment, in the order in which they must follow one another."""
        moments = (self.start, *(moment for moment, _ in self.stream), self.end)
        return tuple(moment for moment in moments if moment is not None)


@dataclass(frozen=True, slots=True)
class Utterance:
    """One message of a conversation, before its speaker has become an agent.

    Attributes:
        speaker: the name as the file spells it; the role where a message has no name.
        named: whether `speaker` is a name.
        content: the text, never blank.
        spot: where the message stands.
        when: what the file says of its time.
        provider_token_count: what the provider reported for it.
    """

    speaker: str
    named: bool
    content: str
    spot: Spot
    when: When = When()
    provider_token_count: int | None = None


@dataclass(frozen=True, slots=True)
class Conversation:
    """The conversation about one case.

    Attributes:
        raw_id: the case's name in the file; None where there is none.
        spot: where the conversation begins.
        utterances: in order.
    """

    raw_id: str | int | None
    spot: Spot
    utterances: Sequence[Utterance]


@dataclass(slots=True)
class Reading:
    """What an importer found in a file.

    Attributes:
        conversations: in the order of the file.
        problems: whatever is not in them.
        notices: what was passed over because it is no part of a conversation, for the user.
    """

    conversations: list[Conversation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def unmapped(self, spot: Spot, what: str, *, kind: str, remedy: str) -> None:
        """Note something that has no place in a trace."""
        self.problems.append(Problem(spot, what, remedy, kind))

    def damage(self, spot: Spot, what: str, *, remedy: str) -> None:
        """Note that the file is broken."""
        self.problems.append(Problem(spot, what, remedy, "damage", damage=True))


class Importer(Protocol):
    """Reads one format."""

    @property
    def name(self) -> str:
        """The format's name, as `--format` takes it."""

    def claims(self, source: Source) -> bool:
        """Return, by looking, whether a file is of this format."""

    def read(self, source: Source) -> Reading:
        """Read a file.

        Raises:
            DataError: the file cannot be read at all.
        """


_PACKAGE = "exaid_evals.traces.importers"
# In the order in which they are asked whether a file is theirs.
_IMPORTERS = {
    "otel": f"{_PACKAGE}.otel:OtelImporter",
    "langchain": f"{_PACKAGE}.langchain:LangchainImporter",
    "autogen": f"{_PACKAGE}.chat:AutogenImporter",
    "openai": f"{_PACKAGE}.chat:OpenaiImporter",
    "csv": f"{_PACKAGE}.csv_table:CsvImporter",
}
IMPORTERS = Kind("format", "exaid_evals.importers", _IMPORTERS)
AUTO = "auto"
_LOOKED_FOR = (
    "no OpenTelemetry spans (`resourceSpans`), no messages of LangChain (`type`, `content`), no messages with `role` "
    "and `content` (alone, in a list, or as `messages` or `chat_history`), and no CSV with case_id, agent, content"
)


def importer_named(name: str) -> Importer:
    """Return an importer.

    Raises:
        ConfigError: none has that name, or it cannot be built.
    """
    return cast("Importer", IMPORTERS.build(name))


def importer_of(source: Source) -> Importer:
    """Return the first importer that claims a file: those of other packages by name, then the built-in ones.

    Others come first because they know a narrower shape; a general one would often claim it too.

    Raises:
        DataError: none does, or the file cannot be read.
    """
    known = [importer_named(name) for name in [*IMPORTERS.others(), *IMPORTERS]]
    for importer in known:
        if importer.claims(source):
            return importer
    # A broken file says best itself why nobody knows it.
    if source.text.lstrip()[:1] in ("{", "["):
        _ = source.roots
    formats = ", ".join(importer.name for importer in known)
    raise DataError(
        f"no conversation of a known format: {_LOOKED_FOR}",
        where=str(source.path),
        remedy=f"name it with --format: {formats}; or write CSV with the columns case_id, agent, content",
    )
