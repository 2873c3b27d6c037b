"""Who says what: the supervisor presents, three doctors argue and draw together, the supervisor sums up.

Each doctor opens with a hypothesis of their own. Later messages object to a colleague's, support it or give in to
it, and towards the end all gather behind one diagnosis, which is not always the right one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from exaid_evals.cases.base import Case
from exaid_evals.config.mas_generation import ConversationConfig
from exaid_evals.traces.stub import wording
from exaid_evals.traces.stub.findings import CaseText, read_case
from exaid_evals.traces.stub.moves import Conversation, diagnosis_name, tests_for
from exaid_evals.traces.stub.statements import Block, Mention, Sampler, Statement, Turn, filled
from exaid_evals.traces.stub.wording import Phrasebook

SUPERVISOR = "supervisor"
DOCTORS = ("doctor0", "doctor1", "doctor2")
TERMINATE = "TERMINATE"
_N_RIVALS = 4
_MOST_CHARS = 2000
_MOST_EXTRA = 20


def discuss(
    case: Case,
    presentation: Mapping[str, str],
    rivals: Sequence[str],
    config: ConversationConfig,
    n_round: int,
    sampler: Sampler,
) -> list[Turn]:
    """Return the messages of one conversation.

    Args:
        case: the case.
        presentation: the sections that the agents are given, in order.
        rivals: diagnoses that may be taken for the right one.
        config: how often each thing is done.
        n_round: most messages of a conversation.
        sampler: the conversation's stream; timing draws from another.
    """
    return _Discussion(case, presentation, rivals, config, n_round, sampler).run()


class _Discussion:
    def __init__(
        self,
        case: Case,
        presentation: Mapping[str, str],
        rivals: Sequence[str],
        config: ConversationConfig,
        n_round: int,
        sampler: Sampler,
    ) -> None:
        self._presentation, self._config, self._sampler = presentation, config, sampler
        truth = diagnosis_name(case.diagnosis)
        names = dict.fromkeys(diagnosis_name(rival) for rival in rivals)
        others = sampler.sample([name for name in names if name.casefold() != truth.casefold()], _N_RIVALS)
        # A data set of few cases knows few diagnoses.
        others += sampler.sample(wording.UNNAMED_RIVALS, _N_RIVALS - len(others))
        reading = read_case(presentation)
        book = Phrasebook(reading.short_forms, config, sampler)
        self._conversation = Conversation(
            reading, CaseText.of(case), book, config, sampler, tests_for(case.category), (truth, *others)
        )
        self._leads = {
            doctor: truth if sampler.chance(config.leads_with_truth) else sampler.pick(others) for doctor in DOCTORS
        }
        wrong = sorted({lead for lead in self._leads.values() if lead != truth}) or others
        self._consensus = sampler.pick(wrong) if sampler.chance(config.wrong_consensus) else truth
        if self._consensus not in self._leads.values():
            # Nobody can be won over to what nobody has proposed.
            self._leads[sampler.pick(DOCTORS)] = self._consensus
        self._n_round = n_round
        self._turns: list[Turn] = []

    def run(self) -> list[Turn]:
        """Hold the conversation."""
        config, sampler = self._config, self._sampler
        n = config.doctor_messages_low + sampler.binomial(
            config.doctor_messages_high - config.doctor_messages_low, config.doctor_messages_p
        )
        interjections = {3 + sampler.below(n - 4)}
        if sampler.chance(config.second_interjection) and n + 4 <= self._n_round:
            interjections.add(3 + sampler.below(n - 4))
        self._turns.append(self._presented())
        speaker = ""
        for number in range(n):
            if number in interjections:
                self._turns.append(self._interjection())
            order = DOCTORS if number < len(DOCTORS) else [doctor for doctor in DOCTORS if doctor != speaker]
            speaker = order[number] if number < len(DOCTORS) else sampler.pick(order)
            if number < len(DOCTORS):
                self._turns.append(self._first_word(speaker, number))
            else:
                self._turns.append(self._reply(speaker, remaining=n - number))
        self._turns.append(self._summary())
        return self._turns

    def _presented(self) -> Turn:
        text = json.dumps(dict(self._presentation), indent=2, ensure_ascii=False)
        return Turn(
            SUPERVISOR, (Block((Statement(wording.OPENING),)), Block((self._conversation.case_text.labelled(text),)))
        )

    def _first_word(self, doctor: str, number: int) -> Turn:
        conversation, dx = self._conversation, self._leads[doctor]
        conversation.begin_message()
        markdown = self._sampler.chance(self._config.markdown)
        message = _Message(self._sampler.log_normal(self._config.message_chars))
        intro = wording.INTRO_FIRST if number == 0 else wording.INTRO_NEXT
        message.add(conversation.say(intro, doc=_called(DOCTORS[number - 1])))
        if markdown or self._sampler.chance(0.4):
            message.block(conversation.findings_list(3 + self._sampler.below(3), markdown=markdown))
        lead = conversation.say(wording.LEADING, dx=f"**{dx}**" if markdown else dx)
        message.block(Block((lead, conversation.evidence(dx), conversation.evidence(dx))))
        rivals = self._rivals_of(dx)
        message.block(
            conversation.rivals_list(self._sampler.sample(rivals, 2 + self._sampler.below(2)), markdown=markdown)
        )
        message.block(conversation.tests_list(2 + self._sampler.below(2), markdown=markdown))
        self._fill(message, doctor, dx)
        return message.turn(doctor)

    def _reply(self, doctor: str, *, remaining: int) -> Turn:
        conversation, sampler = self._conversation, self._sampler
        conversation.begin_message()
        markdown = sampler.chance(self._config.markdown * 0.5)
        message = _Message(sampler.log_normal(self._config.message_chars))
        colleague = sampler.pick([other for other in DOCTORS if other != doctor])
        theirs, own = self._leads[colleague], self._leads[doctor]
        # Who does not hold the coming consensus gives in sooner or later, at the latest in the last round.
        if own != self._consensus and (remaining <= len(DOCTORS) or sampler.chance(0.4)):
            colleague = sampler.pick([other for other in DOCTORS if self._leads[other] == self._consensus])
            message.add(conversation.say(wording.PERSUADED, doc=_called(colleague), alt=own, dx=self._consensus))
            self._leads[doctor] = own = self._consensus
        elif theirs != own:
            message.add(conversation.say(wording.OBJECT, doc=_called(colleague), alt=theirs))
            message.add(conversation.say(wording.HOLDING, dx=own))
        else:
            message.add(conversation.say(wording.AGREE, doc=_called(colleague)))
            message.add(conversation.say(wording.CONVERGING if remaining <= len(DOCTORS) else wording.HOLDING, dx=own))
        message.block(Block((conversation.evidence(own), conversation.evidence(own))))
        if sampler.chance(0.35):
            message.block(conversation.findings_list(2 + sampler.below(3), markdown=markdown))
        if sampler.chance(0.45):
            message.block(conversation.rivals_list(sampler.sample(self._rivals_of(own), 2), markdown=markdown))
        tests = conversation.next_tests(1 + sampler.below(2))
        if tests:
            message.block(
                Block(tuple(conversation.say(wording.TEST_SENTENCE, test=test.name, aim=test.aim) for test in tests))
            )
        self._fill(message, doctor, own)
        return message.turn(doctor)

    def _fill(self, message: _Message, doctor: str, dx: str) -> None:
        """Lengthen a message with evidence, denials and doubts until it has the length it aims at."""
        conversation, sampler = self._conversation, self._sampler
        rival = sampler.pick(self._rivals_of(dx))
        extra = [conversation.denial(rival)] if sampler.chance(self._config.negate) else []
        if sampler.chance(0.2):
            extra.append(conversation.near_miss(rival))
        # A case with little text runs out of things to say; the message is then shorter than it aims at.
        for _ in range(_MOST_EXTRA):
            if message.missing <= sum(len(statement.text) + 1 for statement in extra):
                break
            extra.append(conversation.evidence(dx))
            if sampler.chance(0.25):
                extra.append(conversation.denial(rival))
        extra = list(dict.fromkeys(extra))
        while extra and not message.block(Block(tuple(extra))):
            extra.pop()
        closing = [conversation.say(wording.UNKNOWN)] if sampler.chance(0.5) else []
        if sampler.chance(0.4):
            colleague = sampler.pick([other for other in DOCTORS if other != doctor])
            closing.append(conversation.say(wording.CLOSING, doc=_called(colleague)))
        if closing:
            message.block(Block(tuple(closing)))

    def _interjection(self) -> Turn:
        conversation, sampler = self._conversation, self._sampler
        conversation.begin_message()
        dx = self._leads[sampler.pick(DOCTORS)]
        challenges = []
        for number in range(1, 3 + sampler.below(2)):
            sentence = conversation.pick_sentence() or ""
            asked = conversation.say(
                wording.CHALLENGES,
                without="" if sentence else "quote",
                quote=_short(sentence),
                dx=dx,
                alt=sampler.pick(self._rivals_of(dx)),
                doc=_called(sampler.pick(DOCTORS)),
            )
            challenges.append(asked.between(f"{number}. "))
        return Turn(
            SUPERVISOR,
            (
                Block((conversation.say(wording.INTERJECTION), self._standing())),
                Block(tuple(challenges), joint="\n"),
                Block((Statement(wording.INTERIM), self._state(n_tests=3)), joint="\n"),
            ),
        )

    def _standing(self) -> Statement:
        """Who favors what, in words."""
        held = {dx: [_called(doctor) for doctor in DOCTORS if self._leads[doctor] == dx] for dx in self._leads.values()}
        if len(held) == 1:
            sides = ["all of you favor {0}"]
        else:
            sides = [
                f"{' and '.join(names)} favor{'s' if len(names) == 1 else ''} {{{number}}}"
                for number, names in enumerate(held.values())
            ]
        template = ", while ".join(sides[:1] + ([" and ".join(sides[1:])] if sides[1:] else []))
        plain = {str(number): Statement.naming(self._conversation.book.plain(dx)) for number, dx in enumerate(held)}
        return filled(f"At present {template}.", plain)

    def _summary(self) -> Turn:
        conversation = self._conversation
        return Turn(
            SUPERVISOR,
            (
                Block((conversation.say(wording.SUMMING_UP), conversation.say(wording.SETTLED))),
                Block((self._state(n_tests=6),)),
                Block((Statement(TERMINATE),)),
            ),
        )

    def _state(self, *, n_tests: int) -> Statement:
        """The state of the conversation as JSON."""
        conversation, sampler = self._conversation, self._sampler
        held = list(self._leads.values())
        leading = max(sorted(set(held)), key=held.count)
        rivals = self._rivals_of(leading)[:3]
        asked = [test.name.removeprefix("a ").removeprefix("an ") for test in conversation.asked[:n_tests]]
        parts = {"alt": sampler.pick(rivals), "test": sampler.pick(asked or ["genetic testing"])}
        points = [conversation.say(wording.DISAGREEMENTS, **parts) for _ in range(1 + sampler.below(2))]
        state = {
            "Most Likely Diagnosis": leading,
            "Differential Diagnosis": rivals,
            "Recommended Tests": [name[0].upper() + name[1:] for name in asked],
            "Areas of Disagreement": list(dict.fromkeys(point.text for point in points)),
        }
        named = [Statement.naming(conversation.book.plain(name)) for name in (leading, *rivals)]
        return _as_json(state, [*named, *points])

    def _rivals_of(self, dx: str) -> list[str]:
        return [name for name in self._conversation.candidates if name != dx]


class _Message:
    """A message in the making.

    Args:
        aim: the length that it should reach, in code points.
    """

    def __init__(self, aim: float) -> None:
        self._aim = aim
        self._blocks: list[Block] = []
        self._opening: list[Statement] = []

    def add(self, statement: Statement) -> None:
        """Put a statement into the opening paragraph."""
        self._opening.append(statement)

    def block(self, block: Block) -> bool:
        """Append a block, unless the message would grow past all measure; return whether it was appended."""
        fits = self._length + len(block.text) + 2 <= _MOST_CHARS
        if fits:
            self._blocks.append(block)
        return fits

    @property
    def missing(self) -> float:
        """Code points that are missing to the aim."""
        return self._aim - self._length

    @property
    def _length(self) -> int:
        return len(self.turn("").content)

    def turn(self, agent_id: str) -> Turn:
        """Return the message of an agent."""
        return Turn(agent_id, (Block(tuple(self._opening)), *self._blocks))


def _as_json(state: Mapping[str, object], parts: Sequence[Statement]) -> Statement:
    """Return a structure in a code block, with the mentions of its strings.

    Args:
        state: what is written.
        parts: strings of it in their order; one that was left out for being there already follows the same one.
    """
    text = f"```json\n{json.dumps(state, indent=2, ensure_ascii=False)}\n```"
    mentions: dict[Mention, None] = {}
    position = 0
    for part in parts:
        found = text.find(_escaped(part.text), position)
        if found < 0:
            continue
        position = found
        for mention in part.mentions:
            surface = _escaped(mention.surface)
            start = found + len(_escaped(part.text[: mention.start]))
            mentions[replace(mention, surface=surface, start=start)] = None
    return Statement(text, tuple(mentions))


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _called(doctor: str) -> str:
    """How an agent is addressed: `Doctor1`."""
    return doctor.capitalize()


def _short(sentence: str) -> str:
    return sentence.rstrip(" .") if len(sentence) <= 160 else f"{sentence[:150].rsplit(' ', 1)[0].rstrip(' ,;')} …"
