"""Who is who: speakers of a foreign conversation as the agents that a trace knows."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from exaid_evals.config.mapping_file import read_mapping
from exaid_evals.errors import ConfigError, DataError
from exaid_evals.traces.importers.base import NO_SPEECH, SPEAKING_ROLES, Utterance

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
        """Tell whether the user has said to leave out this speaker."""
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
