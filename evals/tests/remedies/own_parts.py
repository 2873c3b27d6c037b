"""Parts of somebody's own that are none, and one that is."""

from __future__ import annotations

from typing import Any

from exaid_evals.metrics.base import Measure
from exaid_evals.middleware.gates import MessageGate
from exaid_evals.middleware.summarizers import FIELDS, SEMANTIC_FIELDS, Update, render

NUMBER = 5


class OddSettings(MessageGate):
    """A gate whose settings are not derived from what settings are."""

    Settings = dict  # type: ignore[assignment]


class Broken(MessageGate):
    """A gate that cannot be built."""

    def __init__(self, settings: Any) -> None:
        raise RuntimeError("no")


def no_extractor(_settings: Any, **_: Any) -> int:
    """Return what is not an extractor."""
    return NUMBER


class Nothing:
    """An extractor that finds nothing."""

    id = "nothing"

    def mentions(self, texts: list[str]) -> list[tuple[()]]:
        """Find nothing."""
        return [() for _ in texts]


def extractor(_settings: Any, **_: Any) -> Nothing:
    """Return an extractor."""
    return Nothing()


def no_measures(_config: Any) -> list[int]:
    """Return what are no measures."""
    return [NUMBER]


class OddCheck:
    """A check of images whose name is not a key of a record."""

    name = "Odd Name"


def no_cases(_context: Any = None) -> tuple[()]:
    """Return no case."""
    return ()


class Feverless:
    """A summarizer that fails where it reads of fever."""

    def __init__(self, _settings: Any, _client: Any) -> None: ...

    def summarize(self, request: Any) -> Update:
        """Return the same for every other window."""
        if "Fever" in str(request.turns):
            raise ValueError("fever")
        content = dict.fromkeys(FIELDS, "None stated.")
        return Update(content, render(content, SEMANTIC_FIELDS), render(content, FIELDS))


def summarize(text: str) -> str:
    """Return what a function can, and a summarizer is a class."""
    return text[:9]


def known_measures(_config: Any) -> list[Measure]:
    """Return a measure that bears the name of one that ships."""
    return [Measure("coverage", "share", "higher", lambda _seen: None)]


def other_measures(_config: Any) -> list[Measure]:
    """Return the same under a name of its own."""
    return [Measure("own_coverage", "share", "higher", lambda _seen: None)]
