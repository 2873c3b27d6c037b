"""How well the extractor reads what messages really state: the error of the instrument itself."""

from __future__ import annotations

from functools import partial

from exaid_evals.artifacts.gold import NOT_STATING, STATING, MentionKind
from exaid_evals.config.metrics import MetricsConfig
from exaid_evals.metrics.base import Measure
from exaid_evals.metrics.observation import Observation


def measures(_: MetricsConfig) -> list[Measure]:
    """How well the extractor reads what messages really state: the error of the instrument itself.

    Measured where messages carry gold labels, which the stub generator gives; undefined elsewhere. The same for every
    variant of a case, since it is the conversation that is labelled. See `exaid_evals.artifacts.gold` for the kinds of
    mentions. In the examples `labelled(labels, found)` is a conversation of one message: its gold labels as kind,
    concept, start and end, and what the extractor found in it as concept, start and end.
    """
    return [
        Measure("extractor_precision", "share", "higher", extractor_precision),
        Measure("extractor_recall", "share", "higher", extractor_recall),
        Measure("extractor_f1", "share", "higher", extractor_f1),
        *(
            Measure(f"{name}_{kind}", "share", "higher", partial(compute, kind=kind))
            for kind in STATING
            for name, compute in (
                ("extractor_precision", extractor_precision_of_kind),
                ("extractor_recall", extractor_recall_of_kind),
                ("extractor_f1", extractor_f1_of_kind),
            )
        ),
        *(
            Measure(f"extractor_specificity_{kind}", "share", "higher", partial(extractor_specificity, kind=kind))
            for kind in NOT_STATING
        ),
        *(
            Measure(f"gold_mentions_{kind}", "count", "neither", partial(gold_mentions, kind=kind))
            for kind in (*STATING, *NOT_STATING)
        ),
        Measure("extractor_spurious", "count", "lower", extractor_spurious),
        Measure("extractor_unjudged", "share", "neither", extractor_unjudged),
    ]


def extractor_precision(seen: Observation) -> float | None:
    """TP / (TP + FP) of (message, concept) pairs: the share of what was found that the message really states.

    Concepts are compared as sets, message by message, as every measure of coverage uses them, and counted over the
    case's messages. Found in a denied or a near-miss mention, or where nothing is mentioned, a concept is a false
    positive unless the message states it elsewhere. What was found in unjudged text alone is left out.

    Edge case: undefined without labels, and where nothing was found that is judged.

    The message states A; A was found there, and B where B is denied: one of two.

    >>> seen = labelled([("canonical", "A", 0, 1), ("negated", "B", 5, 6)], found=[("A", 0, 1), ("B", 5, 6)])
    >>> extractor_precision(seen)
    0.5
    """
    return seen.labels.by_message.precision if seen.labels else None


def extractor_recall(seen: Observation) -> float | None:
    """TP / (TP + FN) of (message, concept) pairs: the share of what messages really state that was found there.

    Edge case: undefined without labels, and where no message states a concept that is known.

    The message states A and, in other words, B; only A was found.

    >>> extractor_recall(labelled([("canonical", "A", 0, 1), ("synonym", "B", 5, 9)], found=[("A", 0, 1)]))
    0.5
    """
    return seen.labels.by_message.recall if seen.labels else None


def extractor_f1(seen: Observation) -> float | None:
    """2 TP / (2 TP + FP + FN), the harmonic mean of precision and recall.

    Edge case: undefined without labels, and where there was nothing to find and nothing was found.

    A is found, B is missed, and X is found where nothing is mentioned: 2 / (2 + 1 + 1).

    >>> found = [("A", 0, 1), ("X", 20, 21)]
    >>> extractor_f1(labelled([("canonical", "A", 0, 1), ("synonym", "B", 5, 9)], found=found))
    0.5
    """
    return seen.labels.by_message.f1 if seen.labels else None


def extractor_recall_of_kind(seen: Observation, kind: MentionKind) -> float | None:
    """The share of the mentions of a kind at which the extractor found the very concept that they state.

    At a mention is what shares a code point with it: boundaries may differ, the concept must not.

    Edge case: undefined without labels, and without a mention of the kind whose concept is known.

    Of two synonyms one was found; at the other, something else was.

    >>> labels = [("synonym", "A", 0, 8), ("synonym", "B", 10, 18)]
    >>> extractor_recall_of_kind(labelled(labels, found=[("A", 4, 8), ("X", 10, 14)]), MentionKind.SYNONYM)
    0.5
    """
    if seen.labels is None or not seen.labels.n_mentions.get(kind, 0):
        return None
    return seen.labels.recalled[kind] / seen.labels.n_mentions[kind]


def extractor_precision_of_kind(seen: Observation, kind: MentionKind) -> float | None:
    """Of what was found at mentions of a kind, the share that is the concept that the mention states.

    What was found belongs to the mention that it shares most code points with. What belongs to none is counted in
    `extractor_spurious`; what was found at denied and near-miss mentions, by `extractor_specificity`.

    Edge case: undefined without labels, and where nothing was found at mentions of the kind.

    At the first synonym A was found, as it should be; at the second, X.

    >>> labels = [("synonym", "A", 0, 8), ("synonym", "B", 10, 18)]
    >>> extractor_precision_of_kind(labelled(labels, found=[("A", 4, 8), ("X", 10, 14)]), MentionKind.SYNONYM)
    0.5
    """
    right, every = seen.labels.found_at.get(kind, (0, 0)) if seen.labels else (0, 0)
    return right / every if every else None


def extractor_f1_of_kind(seen: Observation, kind: MentionKind) -> float | None:
    """The harmonic mean of precision and recall of a kind; 0 where both are 0.

    Edge case: undefined where the recall is; 0 where there were mentions and nothing was found at any of them.

    One of two synonyms was found, and nothing at the other: precision 1, recall 1/2.

    >>> labels = [("synonym", "A", 0, 8), ("synonym", "B", 10, 18)]
    >>> round(extractor_f1_of_kind(labelled(labels, found=[("A", 4, 8)]), MentionKind.SYNONYM), 3)
    0.667
    """
    recall = extractor_recall_of_kind(seen, kind)
    if recall is None:
        return None
    precision = extractor_precision_of_kind(seen, kind) or 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def extractor_specificity(seen: Observation, kind: MentionKind) -> float | None:
    """TN / (TN + FP) at mentions that state nothing: the share at which the extractor affirms nothing.

    1 − specificity is the false positive rate: how often what is denied, or said of relatives, counts as stated.

    Edge case: undefined without labels, and without a mention of the kind.

    Of two denied findings, the second was taken for stated.

    >>> labels = [("negated", "A", 3, 8), ("negated", "B", 12, 18)]
    >>> extractor_specificity(labelled(labels, found=[("B", 12, 18)]), MentionKind.NEGATED)
    0.5
    """
    if seen.labels is None or not seen.labels.n_mentions.get(kind, 0):
        return None
    return seen.labels.left_alone[kind] / seen.labels.n_mentions[kind]


def gold_mentions(seen: Observation, kind: MentionKind) -> float | None:
    """The number of mentions of a kind for which it is known what should be found: the n of the kind's shares.

    Edge case: undefined without labels; a phrase that names no known concept does not count.

    >>> labels = [("synonym", "A", 0, 8), ("synonym", None, 10, 18), ("negated", None, 20, 25)]
    >>> gold_mentions(labelled(labels), MentionKind.SYNONYM), gold_mentions(labelled(labels), MentionKind.NEGATED)
    (1, 1)
    """
    return seen.labels.n_mentions.get(kind, 0) if seen.labels else None


def extractor_spurious(seen: Observation) -> float | None:
    """The number of mentions that were found where nothing is mentioned: false positives of no kind.

    Edge case: undefined without labels.

    >>> extractor_spurious(labelled([("canonical", "A", 0, 1)], found=[("A", 0, 1), ("X", 7, 9)]))
    1
    """
    return seen.labels.n_spurious if seen.labels else None


def extractor_unjudged(seen: Observation) -> float | None:
    """The share of the mentions found that no measure here judges: in text that is copied from real reports, say.

    Edge case: undefined without labels, and where nothing was found.

    >>> extractor_unjudged(labelled([("unjudged", None, 0, 50)], found=[("A", 0, 1), ("X", 60, 63)]))
    0.5
    """
    if seen.labels is None or not seen.labels.n_found:
        return None
    return seen.labels.n_unjudged / seen.labels.n_found
