"""What a log of an evaluation is, item by item, and what a format does to read one.

**To add a format**, write a subclass of `LogFormat`, in `harnesses.py` or `tables.py`, and name it in
`registry.FORMATS` (or, in a package of your own, under the entry point group `exaid_evals.item_logs`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from exaid_evals.artifacts.hashing import sha256_structure
from exaid_evals.artifacts.redaction import clipped, printable
from exaid_evals.runs.files.values import plain

_EXCERPT = 300
_LONG_ID = 60


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a task, answered and scored once.

    Attributes:
        id: of the item, as the log has it, or made of what was asked.
        epoch: which of several answers to the same item, counted as the log does.
        scores: metric → value; None where the log says that it is undefined.
        content: digest of what was asked and expected; None where the log does not hold it.
        facts: what else the log says of the item, for clusters.
        question, target, answer: beginnings of the texts, for a reader.
        failure: why there is no score; None where nothing failed.
    """

    id: str
    epoch: int = 1
    scores: Mapping[str, float | None] = field(default_factory=dict)
    content: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    question: str = ""
    target: str = ""
    answer: str = ""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class Log:
    """What one system scored on the items of one task.

    Attributes:
        task: its name; empty where the log does not say.
        system: what was evaluated: a model, a provider, a prompt; empty where the log does not say.
        format: name of the format.
        file: name of the file.
        items: in the order of the log.
        made: when, in a form that sorts; of two logs of the same the later one counts.
        lower_is_better, higher_is_better: metrics that the log says this of.
        restates: metric → the metric that says the same in another form; it is compared only where it is named.
        warnings: what is odd, without the file's name.
    """

    task: str
    system: str
    format: str
    file: str
    items: Sequence[Item]
    made: str = ""
    lower_is_better: frozenset[str] = frozenset()
    higher_is_better: frozenset[str] = frozenset()
    restates: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


class LogFormat(ABC):
    """Reads the logs of one tool.

    Attributes:
        name: the format's name.
    """

    name: ClassVar[str]

    @abstractmethod
    def claims(self, path: Path) -> bool:
        """Return, by a file's name and beginning, whether it is such a log."""

    @abstractmethod
    def read(self, path: Path) -> Sequence[Log]:
        """Read the logs in a file: one for each system and task.

        Raises:
            DataError: it is damaged, or holds no item.
        """


def number(value: Any) -> float | None:
    """Return a score as a number: true, pass and yes are 1, false, fail and no are 0; None for anything else.

    >>> number(True), number("no"), number("0.5"), number(float("nan")), number([1])
    (1.0, 0.0, 0.5, None, None)
    """
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _WORDS:
            return _WORDS[word]
        try:
            value = float(word)
        except ValueError:
            return None
    if not isinstance(value, bool | int | float):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


_WORDS = {"true": 1.0, "yes": 1.0, "pass": 1.0, "passed": 1.0, "false": 0.0, "no": 0.0, "fail": 0.0, "failed": 0.0}


def digest(*parts: Any) -> str:
    """Return a digest of what was asked, whatever its form."""
    return sha256_structure(plain(list(parts))).removeprefix("sha256:")[:16]


def excerpt(value: Any) -> str:
    r"""Return the beginning of a text, or of a structure's, on one line.

    >>> excerpt("two\nlines"), excerpt([{"content": "a"}]), excerpt(None)
    ('two lines', 'a', '')
    """
    return clipped(printable(" ".join(_text(value).split())), _EXCERPT)


def made_id(asked: Any) -> str:
    """Return an id for an item that has none: what was asked, where it is long its beginning and a digest.

    >>> made_id({"q": "alpha"}), made_id("x" * 70)[58:]
    ('q: alpha', 'xx… cce1e1eaed984393')
    """
    text = excerpt(asked)
    return text if len(text) <= _LONG_ID else f"{text[:_LONG_ID]}… {digest(asked)}"


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        inner = value.get("content", value.get("text"))
        return _text(inner) if inner is not None else ", ".join(f"{key}: {_text(one)}" for key, one in value.items())
    if isinstance(value, list | tuple):
        return " ".join(_text(one) for one in value)
    return str(value)


def numbered_epochs(ids: Iterable[str]) -> list[int]:
    """Return which occurrence of its id each item is, counted from 1.

    >>> numbered_epochs(["a", "b", "a"])
    [1, 1, 2]
    """
    seen: dict[str, int] = {}
    found = []
    for one in ids:
        seen[one] = seen.get(one, 0) + 1
        found.append(seen[one])
    return found
