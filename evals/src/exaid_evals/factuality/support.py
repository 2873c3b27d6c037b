"""Whether each statement of a text is supported by what had been said, contradicted by it, or not to be found in it.

Offline and deterministic: a statement is aligned with its sources word by word, through stems, words of one meaning and
concepts; then numbers, units, sides, denials, whose it is, beginnings and ends, plans and suppositions have to agree,
denial, person, beginning and supposition all at one place. It reads no implication: what follows from the sources in
other words is not found.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from exaid_evals.factuality.content import KIN, NOTHING_WRONG, Content, Statement, Unit
from exaid_evals.factuality.words import DONE, PLANNED, SUPPOSED

MISSING_SHARE = 1 / 3
"""Of the units of a statement: where more of them are in no source, the statement is not found."""
_PREFIX = 4
_WORD = re.compile(r"\w+(?:['’-]\w+)*")


class Verdict(StrEnum):
    """What the sources say of a statement."""

    SUPPORTED = "supported"
    CONTRADICTED = "contradicted"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class Judged:
    """A statement and what the sources say of it.

    Attributes:
        statement: as it stands in the text.
        verdict: what the sources say.
        reason: why, for people; empty where it is supported.
        missing: units that no source holds.
    """

    statement: Statement
    verdict: Verdict
    reason: str = ""
    missing: tuple[Unit, ...] = ()


@dataclass(frozen=True, slots=True)
class _Place:
    """A unit of a source, in its statement."""

    unit: Unit
    statement: Statement


class Sources:
    """What had been said, to be looked up.

    Args:
        contents: texts, read.
    """

    def __init__(self, contents: Sequence[Content]) -> None:
        self._by_key: dict[str, list[_Place]] = defaultdict(list)
        self._by_concept: dict[str, list[_Place]] = defaultdict(list)
        self._by_prefix: dict[str, set[str]] = defaultdict(set)
        self._numbers: dict[str, set[str]] = defaultdict(set)
        self._denies = self._denies_all = False
        for content in contents:
            self.add(content)

    def add(self, content: Content) -> None:
        """Take in what was said next."""
        self._denies |= content.denies
        self._denies_all |= content.denies_all
        for statement in content.statements:
            for unit in statement.units:
                place = _Place(unit, statement)
                self._by_key[unit.key].append(place)
                for concept in unit.concepts:
                    self._by_concept[concept].append(place)
                if unit.is_value:
                    self._numbers[unit.measure].add(unit.key)
                else:
                    self._by_prefix[unit.key[:_PREFIX]].add(unit.key)

    def places(self, unit: Unit) -> list[_Place]:
        """Return where the sources hold a unit: the same key or concept, else a word of the same root."""
        found = list(self._by_key.get(unit.key, ()))
        found += [place for concept in sorted(unit.concepts) for place in self._by_concept.get(concept, ())]
        if not found and not unit.is_value and unit.key != NOTHING_WRONG:
            near = sorted(key for key in self._by_prefix.get(unit.key[:_PREFIX], ()) if same_root(key, unit.key))
            found = [place for key in near for place in self._by_key[key]]
        return found

    def holds(self, unit: Unit) -> bool:
        """Whether the sources hold a unit; what is denied also where *none* is all they say."""
        if unit.key == NOTHING_WRONG and self._denies:
            return True
        return bool(self.places(unit)) or (unit.denied and self._denies_all)

    def judge(self, statement: Statement) -> Judged:
        """Judge a statement."""
        missing = tuple(unit for unit in statement.units if not self.holds(unit))
        words = [unit for unit in statement.units if not unit.is_value]
        absent = Judged(statement, Verdict.NOT_FOUND, f"no {_shown(missing, statement)}", missing)
        if sum(not unit.is_value for unit in missing) > MISSING_SHARE * len(words):
            return absent
        if wrong := [unit for unit in missing if unit.is_value and unit.measure and self._numbers.get(unit.measure)]:
            return Judged(statement, Verdict.CONTRADICTED, f"another number there than {_shown(wrong, statement)}")
        if len(missing) > MISSING_SHARE * len(statement.units):
            return absent
        reason = next(self._disagreements(statement), "")
        return Judged(statement, Verdict.CONTRADICTED if reason else Verdict.SUPPORTED, reason)

    def _disagreements(self, statement: Statement) -> Iterator[str]:
        """Yield in what the places that a statement is aligned with differ from it."""
        words = [unit for unit in statement.units if not unit.is_value and unit.key != NOTHING_WRONG]
        kin = not KIN.isdisjoint(unit.key for unit in words)  # maternal asthma
        aligned = [(unit, self.places(unit)) for unit in words]
        # One place must agree in everything: that she denies what her mother had is no finding of hers.
        faults = [(unit, [_faults(unit, place, statement, kin) for place in places]) for unit, places in aligned]
        opposed = [(unit, there) for unit, there in faults if there and all(there)]
        if 2 * len(opposed) >= len(words) > 0:
            yield f"{opposed[0][1][0][0]} there: {_shown([unit for unit, _ in opposed], statement)}"
        best = _best(aligned)
        there = frozenset[str]().union(*(one.sides for one in best))
        if statement.sides and there and not (statement.sides & there or "both" in there):
            yield f"side there: {', '.join(sorted(there))}"
        if statement.times == {DONE} and best and all(one.times == {PLANNED} for one in best):
            yield "planned there, not done"
        if best and not statement.times & {SUPPOSED, PLANNED} and all(SUPPOSED in one.times for one in best):
            yield "only supposed there"


def _faults(unit: Unit, place: _Place, statement: Statement, kin: bool) -> list[str]:
    """Return in what a place differs from a unit; of somebody else is right where the statement names a relative."""
    found = []
    if place.unit.denied != unit.denied:
        found.append("affirmed" if unit.denied else "denied")
    if place.unit.other != unit.other and not kin:
        found.append("of the patient" if unit.other else "of somebody else")
    if statement.changes and place.statement.changes and not statement.changes & place.statement.changes:
        found.append(min(place.statement.changes))
    if SUPPOSED in place.statement.times and not statement.times & {SUPPOSED, PLANNED} and not unit.denied:
        found.append("only supposed")
    return found


def _shown(units: Sequence[Unit], statement: Statement) -> str:
    """Return units as a reader knows them: words as the statement has them, which is compared by their stems."""
    shown = []
    for unit in units:
        word = _WORD.match(statement.text[max(0, unit.start - statement.start) :])
        as_it_stands = not unit.is_value and word and word[0].casefold().startswith(unit.key[:3])
        shown.append(word[0] if word and as_it_stands else f"{unit.key} {unit.measure}".strip())
    return ", ".join(dict.fromkeys(shown))


def _best(aligned: Sequence[tuple[Unit, Sequence[_Place]]]) -> list[Statement]:
    """Return the statements of the sources that hold most of the units."""
    counts = Counter(
        id(place.statement) for _, places in aligned for place in {id(p.statement): p for p in places}.values()
    )
    most = max(counts.values(), default=0)
    by_id = {id(place.statement): place.statement for _, places in aligned for place in places}
    return [statement for key, statement in by_id.items() if counts[key] == most]


def same_root(one: str, other: str) -> bool:
    """Whether two stems differ in their last letters alone.

    >>> same_root("jewelr", "jeweller"), same_root("psychiatr", "psychiatrist"), same_root("hypertens", "hypotens")
    (True, True, False)
    """
    shorter, longer = sorted((one, other), key=len)
    common = next((n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(shorter))
    return common >= _PREFIX and common >= len(shorter) - 1 and common >= len(longer) - 3


def judge(text: Content, sources: Sequence[Content]) -> list[Judged]:
    """Judge every statement of a text."""
    said = Sources(sources)
    return [said.judge(statement) for statement in text.statements]
