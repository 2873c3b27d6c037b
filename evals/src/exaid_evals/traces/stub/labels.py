"""From the mentions of a simulated message to its gold labels."""

from __future__ import annotations

from exaid_evals.artifacts.gold import GoldMention, MentionKind
from exaid_evals.traces.stub.linking import concept_of
from exaid_evals.traces.stub.statements import Mention, Turn


def gold_mentions(turn: Turn) -> tuple[GoldMention, ...]:
    """Return the labels of a message, in the order of its text, each place and form once."""
    return tuple(sorted({_labelled(mention) for mention in turn.mentions}, key=lambda label: label.order))


def _labelled(mention: Mention) -> GoldMention:
    known = mention.kind not in (MentionKind.UNJUDGED, MentionKind.COPIED)
    return GoldMention(mention.start, mention.end, mention.kind, concept_of(mention.source) if known else None)
