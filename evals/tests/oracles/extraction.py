"""The measures that rest on gold labels a second time: slow, obvious, character by character where that is plainest.

Found is what `conversations.WordExtractor` finds: words of two or more capitals.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from exaid_evals.replay.run_log import RunLog, Summary
from exaid_evals.traces.model import Message, Trace

STATING = ("canonical", "synonym", "inflected", "abbreviated")
SILENT = ("negated", "near_miss")
MARKS = " -:;,"


def labelled_measures(
    trace: Trace, log: RunLog, updates: Sequence[Summary], coverage: float | None, budgets: Sequence[int], policy: str
) -> dict[str, float | None]:
    """Return the extractor's validity and coverage against gold labels; all None where a message has none."""
    known = all(message.gold_mentions is not None for message in trace.messages)
    messages = trace.messages if known else ()
    pairs = [verdict for message in messages for verdict in of_message(message)]
    tp, fp, fn = (pairs.count(verdict) for verdict in ("tp", "fp", "fn"))
    found: dict[str, float | None] = {
        "extractor_precision": share(tp, tp + fp),
        "extractor_recall": share(tp, tp + fn),
        "extractor_f1": share(2 * tp, 2 * tp + fp + fn),
    }
    marks = [mark for message in messages for mark in of_mentions(message)]
    for kind in STATING:
        n, hit = marks.count((kind, "known")), marks.count((kind, "recalled"))
        right, wrong = marks.count((kind, "right")), marks.count((kind, "wrong"))
        recall, precision = share(hit, n), share(right, right + wrong)
        both = (recall or 0) + (precision or 0)
        found[f"gold_mentions_{kind}"] = n if known else None
        found[f"extractor_recall_{kind}"] = recall
        found[f"extractor_precision_{kind}"] = precision
        found[f"extractor_f1_{kind}"] = None if recall is None else 2 * recall * (precision or 0) / both if both else 0
    for kind in SILENT:
        n = marks.count((kind, "known"))
        found[f"gold_mentions_{kind}"] = n if known else None
        found[f"extractor_specificity_{kind}"] = share(n - marks.count((kind, "disturbed")), n)
    every = [mark for mark in marks if mark[1] in ("right", "wrong", "spurious", "unjudged")]
    found["extractor_spurious"] = marks.count(("", "spurious")) if known else None
    found["extractor_unjudged"] = share(marks.count(("", "unjudged")), len(every))
    return found | against_gold(trace, log, updates, coverage, budgets, policy)


def share(part: int, whole: int) -> float | None:
    """Part of the whole; None of nothing."""
    return part / whole if whole else None


def characters(message: Message) -> tuple[list[set[tuple[str, str | None, int]]], list[tuple[str, int] | None]]:
    """Return, for each character, the labels that hold it, and the word that was found there with where it begins."""
    labels: list[set[tuple[str, str | None, int]]] = [set() for _ in message.content]
    for label in message.gold_mentions or ():
        for place in range(label.start, label.end):
            labels[place].add((label.kind.value, label.concept_id, label.start))
    words: list[tuple[str, int] | None] = [None] * len(message.content)
    for match in re.finditer(r"\b[A-Z]{2,}\b", message.content):
        for place in range(*match.span()):
            words[place] = (match[0], match.start())
    return labels, words


def says(label: tuple[str, str | None, int]) -> bool:
    """Whether a label says what should be found."""
    return label[0] in SILENT or (label[0] in STATING and label[1] is not None)


def touching(message: Message) -> dict[tuple[str, int], list[tuple[str, str | None, int]]]:
    """Return what was found → the labels that share a character with it, each as often as they share one."""
    labels, words = characters(message)
    found: dict[tuple[str, int], list[tuple[str, str | None, int]]] = {}
    for there, word in zip(labels, words, strict=True):
        if word is not None:
            found.setdefault(word, []).extend(there)
    return found


def of_message(message: Message) -> Iterator[str]:
    """Yield `tp`, `fp` or `fn` for each concept that is stated or found."""
    found = touching(message)
    stated = {label.concept_id for label in message.gold_mentions or () if label.kind.value in STATING} - {None}
    judged = {word for (word, _), there in found.items() if not there or any(map(says, there))}
    everything = {word for word, _ in found}
    for concept in stated | everything:
        if concept in stated:
            yield "tp" if concept in everything else "fn"
        elif concept in judged:
            yield "fp"


def of_mentions(message: Message) -> Iterator[tuple[str, str]]:
    """Yield what can be said of each label that says something, and of each word that was found."""
    found = touching(message)
    for label in message.gold_mentions or ():
        one = (label.kind.value, label.concept_id, label.start)
        if not says(one):
            continue
        here = {word for (word, _), there in found.items() if one in there}
        yield label.kind.value, "known"
        if here:
            yield label.kind.value, "disturbed"
        if label.concept_id in here:
            yield label.kind.value, "recalled"
    for (word, _), there in found.items():
        able = [label for label in there if says(label)]
        if able:
            most = max(able, key=lambda label: (able.count(label), -label[2]))
            yield most[0], "right" if most[0] in STATING and most[1] == word else "wrong"
        else:
            yield "", "unjudged" if there else "spurious"


def against_gold(
    trace: Trace, log: RunLog, updates: Sequence[Summary], coverage: float | None, budgets: Sequence[int], policy: str
) -> dict[str, float | None]:
    """Return coverage against gold labels, by reading each update word by word."""
    stated = {label.concept_id for message in trace.messages for label in message.gold_mentions or ()
              if label.kind.value in STATING} - {None}  # fmt: skip
    meaning = {
        message.content[label.start : label.end]: label.concept_id if label.kind.value in STATING else None
        for message in trace.messages
        for label in message.gold_mentions or ()
    }
    found: dict[str, float | None] = dict.fromkeys(
        ["coverage_gold", "coverage_error", *(f"coverage_gold_at_{budget}" for budget in budgets)]
    )
    conversation = [message.content for message in trace.messages]
    copied = all(
        is_copied([*conversation, *covered(trace, log, one)], line)
        for one in updates
        if one.schema_ok
        for line in one.semantics_text.split("\n")
    )
    unknown = any("I" in one.semantics_text for one in updates if one.schema_ok)  # part of II, the only one with I
    if any(message.gold_mentions is None for message in trace.messages) or not stated or not copied or unknown:
        return found
    reported = {
        meaning.get(word) for one in updates if one.schema_ok for word in re.findall(r"\w+", one.semantics_text)
    } - {None}
    found["coverage_gold"] = len(reported) / len(stated)
    if coverage is not None:
        found["coverage_error"] = coverage - len(reported) / len(stated)
    if any(one.schema_ok and not one.rendered_text.startswith(one.semantics_text) for one in updates):
        return found
    for budget in budgets:
        reached = set()
        left = 4 * budget
        for one in updates:
            whole = len(one.rendered_text) <= left
            for match in re.finditer(r"\w+", one.semantics_text if one.schema_ok else ""):
                if whole or (policy == "cut" and match.end() <= left):
                    reached.add(meaning.get(match[0]))
            left -= len(one.rendered_text)
            if left < 0:
                break
        found[f"coverage_gold_at_{budget}"] = len(reached - {None}) / len(stated)
    return found


def is_copied(sources: Sequence[str], line: str) -> bool:
    """Whether a line is one of some texts', or consists of their sentences, whole or cut off with an ellipsis."""
    line = line.replace("**", "")
    if not line.strip():
        return True
    lines = [one for text in sources for one in text.replace("**", "").splitlines()]
    # Sentences end at a full stop before a capital; marks of lists and of a clause's end are none of theirs.
    sentences = [part.strip(MARKS) for one in lines for part in re.split(r"(?<=\.) +(?=[A-Z])", one.lstrip(MARKS))]
    units = {*lines, *sentences} - {""}
    reachable = {0}
    for end in range(1, len(line) + 1):
        if end == len(line) or line[end] == " ":
            for start in sorted(reachable):
                piece = line[start:end]
                if piece in units or (piece[1:].endswith("…") and any(one.startswith(piece[:-1]) for one in units)):
                    reachable.add(end + 1)
    return len(line) + 1 in reachable


def covered(trace: Trace, log: RunLog, update: Summary) -> list[str]:
    """Return the runs of characters of each message that an update covers."""
    runs = []
    for seq, message in enumerate(trace.messages):
        marks = [
            any(
                (flush.start_seq, flush.start_char) <= (seq, place) < (flush.end_seq, flush.end_char)
                for flush in (log.flushes[index] for index in update.flush_indices)
            )
            for place in range(len(message.content))
        ]
        kept = "".join(char if mark else "\0" for char, mark in zip(message.content, marks, strict=True))
        runs += [run for run in kept.split("\0") if run]
    return runs
