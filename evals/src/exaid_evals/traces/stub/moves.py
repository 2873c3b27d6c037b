"""What one speaker can do with a message: name evidence, quote, deny, propose, ask. Each move gives a block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache

from exaid_evals.config.mas_generation import ConversationConfig
from exaid_evals.traces.stub import wording
from exaid_evals.traces.stub.case_text import CaseText
from exaid_evals.traces.stub.findings import Reading
from exaid_evals.traces.stub.glossary import PERTINENT_NEGATIVES
from exaid_evals.traces.stub.sampler import Sampler
from exaid_evals.traces.stub.statements import Block, Mention, MentionKind, Statement, filled
from exaid_evals.traces.stub.wording import Phrasebook, clause, inside, retell
from exaid_evals.traces.stub.workup import Test

_QUOTE_CHARS = 230
# What a report says about itself is not evidence.
_EMPTY = re.compile(
    r"\b(?:provided|mentioned|specified|not available|not given|not reported|anonymi[sz]ed|no mention)\b", re.IGNORECASE
)
_SLOT = re.compile(r"\{(\w+)\}")
# What a slot's words mention. An alternative may be argued for or against, and a test's aim is a suspicion: neither
# says whether the patient has it.
_KINDS = {"dx": MentionKind.CANONICAL, "alt": MentionKind.UNJUDGED, "aim": MentionKind.UNJUDGED}


@dataclass(slots=True)
class Conversation:
    """What everybody at the table knows: the case as it was read, and what has been said.

    Attributes:
        reading: the case.
        case_text: what its text states.
        book: chooses the form of each phrase.
        config: how often each thing is done.
        sampler: the conversation's stream.
        tests: what can be asked for, the most fitting first.
        named: phrases that were already named, in order.
        quoted: sentences that were already quoted.
        asked: tests that were already asked for, in order.
        candidates: the diagnosis and its rivals.
    """

    reading: Reading
    case_text: CaseText
    book: Phrasebook
    config: ConversationConfig
    sampler: Sampler
    tests: tuple[Test, ...]
    candidates: tuple[str, ...]
    named: list[str] = field(default_factory=list)
    quoted: set[str] = field(default_factory=set)
    asked: list[Test] = field(default_factory=list)
    _now: set[str] = field(default_factory=set)
    _taken: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    def begin_message(self) -> None:
        """Start a message: no sentence is quoted and nothing denied twice within one."""
        self._now.clear()

    def choose(self, templates: tuple[str, ...], *, without: str = "") -> str:
        """Return a template; none comes again before all that are usable have been taken.

        Args:
            templates: one of the tables of `wording`.
            without: a slot that cannot be filled now.
        """
        room = len(self.reading.findings)
        usable = [
            template
            for template in templates
            if _findings_needed(template) <= room and not (without and f"{{{without}}}" in template)
        ]
        taken = self._taken.setdefault(templates, set())
        fresh = [template for template in usable if template not in taken]
        if not fresh:
            taken.clear()
        chosen = self.sampler.pick(fresh or usable)
        taken.add(chosen)
        return chosen

    def say(self, templates: tuple[str, ...], *, without: str = "", **parts: str) -> Statement:
        """Fill one of the templates; `a`, `b` and `c` are found here, everything else is given."""
        template = self.choose(templates, without=without)
        given = {slot: self._part(slot, value) for slot, value in parts.items()}
        slots = [slot for slot in dict.fromkeys(_SLOT.findall(template)) if slot not in parts]
        for slot, phrase in zip(slots, self.pick_findings(len(slots)), strict=True):
            given[slot] = Statement.naming(self.book.name(phrase))
        return filled(template, given).capitalised()

    def _part(self, slot: str, value: str) -> Statement:
        """Return what a slot is filled with, and what that mentions."""
        if slot == "quote":
            return self.case_text.labelled(value)
        kind = _KINDS.get(slot)
        name = value.strip("*")
        return Statement(value, (Mention(kind, name, name, value.index(name)),) if kind else ())

    def pick_findings(self, n: int) -> list[str]:
        """Return up to `n` different phrases: mostly new ones, some that were named before."""
        found = [finding.phrase for finding in self.reading.findings]
        chosen: list[str] = []
        for _ in range(min(n, len(found))):
            fresh = [phrase for phrase in found if phrase not in self.named and phrase not in chosen]
            known = [phrase for phrase in self.named if phrase not in chosen]
            if known and (not fresh or self.sampler.chance(self.config.repeat)):
                chosen.append(self.sampler.pick(known))
            else:
                chosen.append(fresh[0] if self.sampler.chance(0.5) else self.sampler.pick(fresh))
        self.named += [phrase for phrase in chosen if phrase not in self.named]
        return chosen

    def pick_sentence(self) -> str | None:
        """Return a sentence of the case, rather one that nobody has quoted; None where none is short enough."""
        usable = [
            s
            for _, s in self.reading.sentences
            if len(s) > 30 and s not in self._now and not _EMPTY.search(s) and clause(s, _QUOTE_CHARS)
        ]
        fresh = [sentence for sentence in usable if sentence not in self.quoted]
        if not usable:
            return None
        sentence = self.sampler.pick(fresh) if fresh else self.sampler.pick(usable)
        self.quoted.add(sentence)
        self._now.add(sentence)
        return sentence

    def quotation(self) -> Statement | None:
        """Quote or retell a sentence of the case."""
        sentence = self.pick_sentence()
        if sentence is None:
            return None
        quote = clause(sentence, _QUOTE_CHARS)
        template = self.choose(wording.QUOTE)
        copied = {"quote": quote, "inside": inside(retell(quote))}
        return filled(template, {slot: self.case_text.labelled(text) for slot, text in copied.items()})

    def denial(self, alt: str) -> Statement:
        """Weigh something that the patient does not have."""
        in_case = [finding.phrase for finding in self.reading.denied if finding.phrase not in self._now]
        absent = [
            phrase
            for phrase, stems in PERTINENT_NEGATIVES.items()
            if phrase not in self._now and not any(stem in self.reading.text for stem in stems)
        ]
        if in_case and self.sampler.chance(0.5):
            phrase, template = self.sampler.pick(in_case), self.choose(wording.DENIED_IN_CASE)
        else:
            phrase, template = self.sampler.pick(absent or ["other complaints"]), self.choose(wording.DENIED)
        self._now.add(phrase)
        denied = Statement.naming(Mention(MentionKind.NEGATED, phrase, phrase))
        return filled(template, {"neg": denied, "alt": self._part("alt", alt)}).capitalised()

    def near_miss(self, alt: str) -> Statement:
        """Name something that is not said of the patient: relatives, suspicions, what may come."""
        phrases = self.pick_findings(1)
        if not phrases:
            return self.denial(alt)
        named = Statement.naming(Mention(MentionKind.NEAR_MISS, phrases[0], phrases[0]))
        return filled(self.choose(wording.NEAR_MISS), {"a": named, "alt": self._part("alt", alt)})

    def next_tests(self, n: int) -> list[Test]:
        """Return tests, the most fitting of those that nobody has asked for first."""
        fresh = [test for test in self.tests if test not in self.asked]
        chosen = self.sampler.sample(fresh[: 2 * n + 1], n)
        self.asked += chosen
        return chosen

    def evidence(self, dx: str) -> Statement:
        """Argue for a diagnosis with findings, or with a sentence of the case."""
        # The fewer findings were recognized, the more is quoted.
        if self.sampler.chance(self.config.quote) or self.sampler.below(6) >= len(self.reading.findings):
            quotation = self.quotation()
            if quotation is not None:
                return quotation
        if self.named and self.sampler.chance(self.config.repeat):
            return self.say(wording.REPEAT, dx=dx)
        return self.say(wording.EVIDENCE if self.reading.findings else wording.UNKNOWN, dx=dx)

    def findings_list(self, n: int, *, markdown: bool) -> Block:
        """List findings, one a line."""
        lines = []
        for number, phrase in enumerate(self.pick_findings(n), start=1):
            label = Statement.naming(self.book.name(phrase)).capitalised()
            note = self.choose(wording.FINDING_NOTES)
            lines.append(label.between(f"{number}. **", f"**{note}") if markdown else label.between("- ", note))
        if not lines:
            return Block((self.say(wording.UNKNOWN),))
        return self._titled(wording.FINDINGS_LEAD, lines, markdown=markdown)

    def rivals_list(self, rivals: Sequence[str], *, markdown: bool) -> Block:
        """List other diagnoses with a reason each."""
        lines = []
        for number, rival in enumerate(rivals, start=1):
            reason = self.say(wording.RIVAL_FOR).lowered()
            line = f"{number}. **{{dx}}** {{reason}}." if markdown else f"{number}. {{dx}} {{reason}}."
            lines.append(filled(line, {"dx": self._part("dx", rival), "reason": reason}))
        return self._titled(wording.RIVALS_LEAD, lines, markdown=markdown)

    def tests_list(self, n: int, *, markdown: bool) -> Block:
        """List tests with their aim."""
        lines = []
        for test in self.next_tests(n):
            name = test.name.removeprefix("a ").removeprefix("an ")
            name = name[0].upper() + name[1:]
            aim = self._part("aim", test.aim)
            lines.append(aim.between(f"- **{name}** to " if markdown else f"- {name} to "))
        return self._titled(wording.TESTS_LEAD, lines, markdown=markdown)

    def _titled(self, leads: tuple[str, ...], lines: Sequence[Statement], *, markdown: bool) -> Block:
        lead = self.choose(leads)
        return Block((Statement(f"**{lead}**" if markdown else lead), *lines), joint="\n")


@cache
def _findings_needed(template: str) -> int:
    return sum(f"{{{slot}}}" in template for slot in "abc")


def diagnosis_name(raw: str) -> str:
    """Return a diagnosis as it is spoken of: without the data set's remarks in parentheses at its end.

    >>> diagnosis_name("Scimitar Syndrome(repeated)")
    'Scimitar Syndrome'
    """
    return re.sub(r"\s*\((?:repeated|[A-Z]{2,6})\)\s*$", "", raw).strip()
