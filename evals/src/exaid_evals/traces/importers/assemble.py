"""From what importers read to traces: case ids, agents, times, and an account of what was left out."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.artifacts.ids import case_id_of
from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.traces.importers.base import (
    NO_SPEECH,
    SPEAKING_ROLES,
    Conversation,
    Importer,
    Problem,
    Reading,
    Utterance,
)
from exaid_evals.traces.importers.source import Source
from exaid_evals.traces.importers.timing import NO_DATE, Times, timed
from exaid_evals.traces.model import Message, Provenance, Trace

# In the order in which unnamed roles are handed out: who speaks first presents the case.
AGENT_IDS = ("supervisor", "doctor0", "doctor1", "doctor2")
_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True)
class Casting:
    """Speaker → agent.

    Attributes:
        agents: speaker → agent id, or None for a speaker whose messages are left out on purpose.
        explicit: whether the user wrote it down; then a speaker that is not in it has no agent.
    """

    agents: Mapping[str, str | None] = field(default_factory=dict)
    explicit: bool = False

    def silenced(self, utterance: Utterance) -> bool:
        """Return whether the user has said to leave out this speaker."""
        return utterance.speaker in self.agents and self.agents[utterance.speaker] is None

    def objection(self, utterance: Utterance) -> tuple[str, str, str] | None:
        """Return what keeps a message's speaker from being an agent, with remedy and kind; None for nothing."""
        speaker = utterance.speaker
        if speaker in self.agents:
            return None
        ask = f"map {speaker!r:.60} in --agents to an agent, or to null to leave it out"
        if self.explicit:
            return f"the speaker {speaker!r:.60} is not in the mapping", ask, "unknown speaker"
        if speaker in NO_SPEECH:
            return f"a {speaker} message is not speech of an agent", ask, f"{speaker} message"
        if not utterance.named and speaker not in SPEAKING_ROLES:
            return f"the role {speaker!r:.60} is unknown", ask, "unknown role"
        return None


def read_casting(path: Path) -> Casting:
    """Read a mapping file, YAML or JSON: `name: agent`, or `name: null`.

    Raises:
        ConfigError: names every entry that is none.
    """
    agents = read_mapping(path)
    problems = []
    for name, agent in agents.items():
        if agent is None or agent in AGENT_IDS:
            continue
        near = difflib.get_close_matches(str(agent).lower(), AGENT_IDS, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        remedy = f"{hint}agents are {', '.join(AGENT_IDS)}, or null to leave the speaker out"
        problems.append(ConfigError(f"{agent!r:.60} is not an agent", where=f"{path}: {name!r:.60}", remedy=remedy))
    if not agents:
        problems.append(ConfigError("maps no speaker", where=str(path), remedy="write `name: doctor0` lines"))
    if problems:
        raise ConfigError.of(problems)
    return Casting(agents, explicit=True)


def cast_by_appearance(utterances: Iterable[Utterance]) -> Casting:
    """Cast speakers by the default rule.

    A speaker called like an agent is that agent (`Doctor1`). The others get the agents that are left, in order
    of first appearance: supervisor, doctor0, doctor1, doctor2.

    Raises:
        DataError: there are more speakers than agents; names them.
    """
    nobody = Casting()
    speakers = list(dict.fromkeys(item.speaker for item in utterances if nobody.objection(item) is None))
    agents: dict[str, str] = {}
    for speaker in speakers:
        like = speaker.lower()
        if like in AGENT_IDS and like not in agents.values():
            agents[speaker] = like
    free = [agent for agent in AGENT_IDS if agent not in agents.values()]
    others = [speaker for speaker in speakers if speaker not in agents]
    if len(others) > len(free):
        names = ", ".join(f"{speaker!r:.60}" for speaker in speakers[:_SHOWN_NAMES])
        more = f" and {len(speakers) - _SHOWN_NAMES} more" if len(speakers) > _SHOWN_NAMES else ""
        raise DataError(
            f"{len(speakers)} agents speak ({names}{more}), and a trace knows {len(AGENT_IDS)}",
            remedy=f"say with --agents MAPPING.yaml who is {', '.join(AGENT_IDS)} and who is left out (null)",
        )
    # Only as many as there are: the shorter list is the speakers'.
    agents |= dict(zip(others, free, strict=False))
    return Casting(dict(sorted(agents.items(), key=lambda item: AGENT_IDS.index(item[1]))))


_SHOWN_PROBLEMS = 50


@dataclass(frozen=True, slots=True)
class Imported:
    """What was read, ready to be frozen.

    Attributes:
        traces: one a case, in the order of the files.
        formats: format → number of files.
        casting: who became whom.
        left_out: kind of problem → how many things were left out.
        silenced: messages of speakers that the mapping leaves out.
        untimed: cases whose times the files do not say.
        undated: cases whose times have no date.
        problems: every problem, as `file:line: field: what; remedy`.
        notices: what else the user should know.
        note: how the conversation came about and what was made of it, for the manifest.
    """

    traces: tuple[Trace, ...]
    formats: Counter[str]
    casting: Casting
    left_out: Counter[str]
    silenced: int
    untimed: tuple[str, ...]
    undated: tuple[str, ...]
    problems: tuple[str, ...]
    notices: tuple[str, ...]
    note: str


@dataclass(frozen=True, slots=True)
class _File:
    source: Source
    reading: Reading
    format: str


@dataclass(frozen=True, slots=True)
class _Identified:
    case_id: str
    file: _File
    conversation: Conversation


def read_conversations(
    paths: Sequence[Path],
    importer_for: Callable[[Source], Importer],
    *,
    casting: Casting | None,
    provenance: Provenance,
    epoch: str = NO_DATE,
    note: str = "",
    skip_unmapped: bool = False,
    on_file: Callable[[Path], None] = lambda _: None,
) -> Imported:
    """Read files into traces.

    Args:
        paths: the files, in the order in which speakers appear.
        importer_for: which importer reads a file.
        casting: who is who; None casts by first appearance.
        provenance: what every record says of its making; the run's id is derived when the traces are frozen.
        epoch: time stamp of the first message of a case whose date is unknown.
        note: how the conversation came about, in the user's words.
        skip_unmapped: leave out what does not map, rather than refuse it. Damage is refused all the same.
        on_file: called with each file that has been read.

    Raises:
        DataError: names, by file, line and field, all that does not map or is damaged.
    """
    files = _read_all(paths, importer_for, on_file, skip_unmapped=skip_unmapped)
    identified = _identified(files)
    everything = (item for found in identified for item in found.conversation.utterances)
    casting = casting or cast_by_appearance(everything)
    cast = [(found, _cast(found, casting)) for found in identified]
    clock_of = {found.case_id: timed(said, epoch, found.file.reading) for found, said in cast if said}
    problems = tuple(text for file in files for text in _located(file))
    every = [problem for file in files for problem in file.reading.problems]
    damaged = any(problem.damage for problem in every)
    if every and (damaged or not skip_unmapped):
        raise _refusal(problems, damaged=damaged, skip_unmapped=skip_unmapped)
    clocks = ((found.case_id, said, clock_of[found.case_id]) for found, said in cast if said)
    traces = [Trace(name, at.epoch, _messages(said, at.said, casting), provenance) for name, said, at in clocks]
    if not traces:
        raise DataError("no message is left to import", remedy="see what was left out, and map it with --agents")
    silenced = sum(casting.silenced(item) for found in identified for item in found.conversation.utterances)
    untimed = tuple(case_id for case_id, found in clock_of.items() if found.untimed)
    undated = tuple(case_id for case_id, found in clock_of.items() if found.undated)
    partly = [f"{case_id}: {found.partly}" for case_id, found in clock_of.items() if found.partly]
    formats = Counter(file.format for file in files)
    left_out = Counter(problem.kind for problem in every)
    return Imported(
        traces=tuple(traces),
        formats=formats,
        casting=casting,
        left_out=left_out,
        silenced=silenced,
        untimed=untimed,
        undated=undated,
        problems=problems,
        notices=(*(f"{file.source.path}: {text}" for file in files for text in file.reading.notices), *partly),
        note=_note(note, formats, casting, epoch, len(traces), untimed, undated, left_out, silenced),
    )


def _read_all(
    paths: Sequence[Path],
    importer_for: Callable[[Source], Importer],
    on_file: Callable[[Path], None],
    *,
    skip_unmapped: bool,
) -> list[_File]:
    files: list[_File] = []
    unreadable: list[DataError] = []
    for path in paths:
        source = Source(path)
        try:
            importer = importer_for(source)
            files.append(_File(source, _read(importer, source), importer.name))
        except DataError as error:
            unreadable.append(error)
        on_file(path)
    if unreadable:
        raise _refusal([str(error) for error in unreadable], damaged=True, skip_unmapped=skip_unmapped)
    return files


def _read(importer: Importer, source: Source) -> Reading:
    try:
        return importer.read(source)
    except RecursionError:
        raise DataError("nested too deeply", where=str(source.path), remedy="flatten it") from None


def _identified(files: Iterable[_File]) -> list[_Identified]:
    """Give each conversation its case's id; one without, or with another's, is a problem of its file."""
    identified: dict[str, _Identified] = {}
    for file in files:
        for conversation in file.reading.conversations:
            spot = conversation.spot
            if conversation.raw_id is None:
                file.reading.unmapped(spot, "no case id", kind="conversation without an id", remedy="add `case_id`")
                continue
            try:
                case_id = case_id_of(conversation.raw_id)
            except DataError as error:
                file.reading.unmapped(
                    spot,
                    f"{str(conversation.raw_id)!r:.60} makes no case id",
                    kind="case id",
                    remedy=error.remedy or "",
                )
                continue
            if not conversation.utterances:
                file.reading.unmapped(
                    spot,
                    f"{case_id} says nothing",
                    kind="empty conversation",
                    remedy="leave it out with --skip-unmapped",
                )
            elif case_id in identified:
                there = identified[case_id].file.source.path
                file.reading.damage(spot, f"{case_id} stands in {there} already", remedy="import each case once")
            else:
                identified[case_id] = _Identified(case_id, file, conversation)
    return list(identified.values())


def _cast(found: _Identified, casting: Casting) -> list[Utterance]:
    said = []
    for utterance in found.conversation.utterances:
        objection = casting.objection(utterance)
        if objection is not None:
            what, remedy, kind = objection
            found.file.reading.unmapped(utterance.spot, what, kind=kind, remedy=remedy)
        elif not casting.silenced(utterance):
            said.append(utterance)
    return said


def _messages(said: Sequence[Utterance], times: Sequence[Times], casting: Casting) -> tuple[Message, ...]:
    messages = []
    for item, at in zip(said, times, strict=True):
        agent = casting.agents[item.speaker]
        assert agent is not None  # noqa: S101 - `_cast` has taken out the silenced
        messages.append(
            Message(agent, item.content, at.start_ms, at.stream, item.provider_token_count, end_t_rel_ms=at.end_ms)
        )
    return tuple(messages)


def _located(file: _File) -> list[str]:
    problems = file.reading.problems
    inside = [problem.spot.keys for problem in problems if problem.spot.line is None]
    lines = file.source.lines_of(inside) if inside else {}

    def line_of(problem: Problem) -> int:
        return lines[problem.spot.keys] if problem.spot.line is None else problem.spot.line

    return [
        f"{file.source.path}:{line_of(problem)}: "
        + (f"{problem.spot.field}: " if problem.spot.field else "")
        + f"{problem.what}; {problem.remedy}"
        for problem in sorted(problems, key=line_of)
    ]


def _refusal(problems: Sequence[str], *, damaged: bool, skip_unmapped: bool) -> DataError:
    shown = "".join(f"\n  - {problem}" for problem in problems[:_SHOWN_PROBLEMS])
    more = f"\n  … and {len(problems) - _SHOWN_PROBLEMS} more" if len(problems) > _SHOWN_PROBLEMS else ""
    if damaged:
        remedy = "damage is not skipped: correct the files" if skip_unmapped else "correct the files"
    else:
        remedy = "correct them, or leave out what does not map with --skip-unmapped"
    count = f"{len(problems)} problem{'s' if len(problems) > 1 else ''}"
    return DataError(f"nothing is imported: {count}:{shown}{more}", remedy=remedy)


def _note(
    note: str,
    formats: Counter[str],
    casting: Casting,
    epoch: str,
    n_cases: int,
    untimed: Sequence[str],
    undated: Sequence[str],
    left_out: Counter[str],
    silenced: int,
) -> str:
    files = " and ".join(f"{count} {name} file{'s' if count > 1 else ''}" for name, count in sorted(formats.items()))
    agents = ", ".join(f"{speaker!r:.60} = {agent}" for speaker, agent in casting.agents.items() if agent)
    parts = [note.strip(), f"imported from {files}", f"agents: {agents}"]
    if untimed:
        parts.append(f"times unknown in {len(untimed)} of {n_cases} cases")
    if undated:
        parts.append(f"dates unknown in {len(undated)} of {n_cases} cases: clock starts at {epoch}")
    if silenced:
        parts.append(f"left out by the mapping: {silenced} messages")
    if left_out:
        parts.append("left out as unmapped: " + counted(left_out))
    return "; ".join(part for part in parts if part)


def counted(counts: Counter[str]) -> str:
    """Write counts of kinds as words.

    >>> counted(Counter({"tool call": 2, "empty message": 1}))
    '3 (empty message 1, tool call 2)'
    """
    return f"{counts.total()} ({', '.join(f'{kind} {count}' for kind, count in sorted(counts.items()))})"
