"""Thin."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from exaid_evals.cases.base import Case
from exaid_evals.config.mas_generation import TalkConfig
from exaid_evals.traces.stub.dice import Dice
from exaid_evals.traces.stub.statements import Block, Statement, Turn


def discuss(
    case: Case, presentation: Mapping[str, str], rivals: Sequence[str], config: TalkConfig, n_round: int, dice: Dice
) -> list[Turn]:
    def turn(agent: str, text: str) -> Turn:
        return Turn(agent, (Block((Statement(text),)),))

    sentences = [s for t in presentation.values() for s in re.split(r"(?<=[.])\s+(?=[A-Z])", t)]
    turns = [turn("supervisor", "Please discuss this case.\n\n" + json.dumps(dict(presentation), indent=2, ensure_ascii=False))]
    n = config.doctor_messages_low + dice.binomial(config.doctor_messages_high - config.doctor_messages_low, 0.5)
    for i in range(n):
        text = f"I think of {case.diagnosis} and of {dice.pick(rivals)}."
        goal = dice.log_normal(config.message_chars)
        while len(text) < goal:
            text += " We are told: " + dice.pick(sentences)
        turns.append(turn(f"doctor{i % 3}", text))
        if i == n // 2:
            turns.append(turn("supervisor", "Please comment on: " + dice.pick(sentences)))
    turns.append(turn("supervisor", json.dumps({"Most Likely Diagnosis": case.diagnosis, "Differential Diagnosis": rivals[:3]}, indent=2) + "\n\nTERMINATE"))
    return turns
