"""Which concepts a text denies, after NegEx.

Source: W. W. Chapman, W. Bridewell, P. Hanbury, G. F. Cooper, B. G. Buchanan: A simple algorithm for identifying
negated findings and diseases in discharge summaries. J Biomed Inform 34 (2001) 301–310. As there, a trigger denies
what follows or precedes it, as far as a terminating term, the end of the sentence or a number of words, and a
pseudo-trigger looks like a trigger and denies nothing. Unlike there, an enumeration is denied to its end (*no fever,
chills, or rash*), verbs of finding terminate as *but* does, and a trigger inside a concept's name is none (*absent
septum pellucidum*).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence

REACH_BEFORE = 40
"""Tokens, marks included, that a preceding trigger reaches: an enumeration of about ten findings."""
REACH_NEXT = 6
"""… that *not* and an attributive *absent* reach: *did not have any fever*."""
REACH_AFTER = 12
"""… that a following trigger reaches: *fever and a productive cough were absent*."""

_SEEN = frozenset(
    "seen present noted found observed reported detected described evident identified documented there".split()  # noqa: SIM905
)
_DASHES = frozenset("-–—")
_OPEN, _CLOSE = frozenset("(["), frozenset(")]")
_LIST_ENDS = (",", ")", "]")
_REFERRING = frozenset(["that", "this", "which", "it"])
_NO_CHANGE = (("no", "change"), ("no", "changes"))
_RELATIONS = frozenset(["correlation", "association", "relationship", "relation", "connection", "link"])
_TO_RELATION = 5  # words from a trigger to the relation that it denies
_VERBS = frozenset(["is", "are", "was", "were", "has", "have", "had", "having", "been", "being"])
_SUBJECT = 6  # words of the subject before its verb
_LONGEST_FINDING = 30  # words
_SEEMING = frozenset(["seems", "seemed", "appears", "appeared", "to", "have", "has", "had"])
_BESIDE_A_RESULT = frozenset("was is on in by at for today now and but the result results".split())  # noqa: SIM905
_AFFIRMING = frozenset(["present", "positive"])
_COPULAS = frozenset(["is", "are", "was", "were", "be", "been", "being", "remains", "remained"])


def phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Comma-separated phrases as words."""
    return tuple(tuple(phrase.split()) for phrase in text.split(","))


_PSEUDO = phrases(
    "no change,no changes,no significant change,no interval change,no increase,no decrease,no improvement,"
    "no response,no relief,no resolution,no doubt,no known cause,no clear cause,no treatment,no cure,"
    "not only,not just,not merely,not simply,not necessarily,not certain,not clear,not cause,not extend,not improve,"
    "not improved,not resolve,not resolved,not respond,not controlled,not explained,not explain,not relieved,"
    "not account,not exclude,not excluded,not rule out,not ruled out,not be excluded,not be ruled out,"
    "not been excluded,"
    "not been ruled out,cannot exclude,cannot rule out,cannot be excluded,cannot be ruled out,"
    "not forget,not overlook,not ignore,not set aside,not dismiss,not disregard,not neglect,not cover,not fit,"
    "not expect,not need,not prove,not agree,not convinced,not sure,cannot set aside,cannot ignore,cannot overlook,"
    "cannot dismiss,cannot disregard,cannot neglect,cannot fit,cannot explain,cannot prove,cannot account,cannot cover,"
    "no better explanation,no other explanation,"
    "no alternative explanation,no reason,not surprising,not uncommon,not unusual,not rare,not limited,not all,"
    "not every,"
    "without difficulty,without improvement,without response,without relief,without resolution,without treatment,"
    "without delay,without doubt,gram negative,negative pressure,negative affect,negative predictive,"
    "free fluid,free air,until ruled out,to rule out,should rule out,must rule out,would rule out,should be ruled out,"
    "must be ruled out,to be ruled out,should exclude,must exclude,should be excluded,must be excluded,to be excluded,"
    "to exclude,not changed,not change,no diagnosis,no specific diagnosis,no definite diagnosis"
)
_REPORTING = "has had reports reported mentions mentioned describes described noted noticed saw found observed".split()  # noqa: SIM905
_BEFORE = phrases(
    "no,none,without,denies,denied,denying,deny,negative for,negative results for,never,nor,neither,absence of,lack of,"
    "lacks,lacked,lacking,free of,free from,ruled out,rules out,rule out,ruling out,excluded,excludes,excluding,"
    "fails to reveal,failed to reveal,failed to show,unremarkable for,argues against,argue against,arguing against,"
    "evidence against,no longer,rather than,instead of,nothing pointed to,nothing points to,nothing suggests,"
    "nothing suggested,not support,not supported by,not suggest,not suggestive of,not indicative of,"
    "never had,never has,never have,never having,never developed,never experienced,never reported,"
    "not consistent with,not compatible with,not have any,not having any,not complain of,not complaining of,not reveal,"
    "unlikely to be,unlikely to have,"
    "neg,neg for,negatives include,negatives are,nil,w / o,w / out,no longer has,no longer have,no longer had,"
    "no longer having,no longer reports,"
    "no longer experiences,no longer complains of,no longer suffers from,stopped having,ceased having,"
    "has stopped having,have stopped having,had stopped having,"
    "ceased to have,"
    + ",".join(
        f"no {sign} {pointing}"
        for sign in ("evidence", "finding", "findings", "sign", "signs", "symptom", "symptoms", "feature", "features")
        for pointing in ("suggesting", "indicating", "consistent with", "suggested", "indicated")
    )
    + ","
    + ",".join(f"{nobody} {verb}" for nobody in ("nobody", "no one", "none") for verb in _REPORTING)
)
_DOUBTS = phrases("denies that,denied that,not believe,not think,not feel that,not suspect,doubt that")
"""Triggers whose clause has its own verb: *I do not believe that she has asthma*."""
_NEXT = phrases("not,cannot,absent,non")
_FREE_OF_ITS_OWN = frozenset("of from fluid air gas water edge margin margins flap t3 t4 thyroxine".split())  # noqa: SIM905
_AFTER = phrases(
    "none,neg,resolved,subsided,ceased,disappeared,gone,gone away,went away,have stopped,has stopped,had stopped,"
    "absent,denied,ruled out,excluded,negative,unlikely,not present,not seen,not observed,"
    "not detected,not found,not noted,not identified,not demonstrated,not evident,not reported,not documented,"
    "not confirmed,not supported,not visualized,not appreciated,not likely,not been observed,not been detected,"
    "not been found,not been noted,not been identified,not been demonstrated,not been reported,"
    "not been documented,not been confirmed,not been seen,never observed,never reported,not described,"
    "not mentioned,not recorded,not been described,not been mentioned,not been recorded"
)
_TERMINATORS = phrases(
    "but,however,although,though,except,apart from,aside from,nevertheless,nonetheless,yet,still,despite,besides,"
    "which,who,because,since,as,due to,secondary to,suggesting,suggests,suggested,indicating,indicates,indicated,"
    "presented,presents,presenting,showed,shows,showing,revealed,reveals,revealing,demonstrated,demonstrates,"
    "found,noted,had,has,have,developed,develops,reported,reports,complained,complains,complaining,admits,"
    "supports,consistent with,confirmed,confirms,became,experienced,experiences,underwent,exhibited,exhibits,"
    "favors,favours,explains,makes,improved,persisted,persists,worsened,points,positive for,remain,while,whereas,"
    "whilst,with,then,would,could,should,may,"
    "might"
) + tuple((word,) for word in sorted(_COPULAS))

_LISTING = phrases("such as")
"""These end nothing, though a word of theirs does: *no other findings, such as fever*."""

_PSEUDO_KIND, _BEFORE_KIND, _NEXT_KIND, _AFTER_KIND, _END_KIND, _LISTING_KIND = range(6)


def _index(kinds: Iterable[tuple[int, Sequence[tuple[str, ...]]]]) -> dict[str, list[tuple[tuple[str, ...], set[int]]]]:
    """Phrases by first word, longest first, each with its kinds."""
    merged: dict[tuple[str, ...], set[int]] = {}
    for kind, phrases in kinds:
        for phrase in phrases:
            merged.setdefault(phrase, set()).add(kind)
    index: dict[str, list[tuple[tuple[str, ...], set[int]]]] = {}
    for phrase, found in sorted(merged.items(), key=lambda item: (-len(item[0]), item[0])):
        index.setdefault(phrase[0], []).append((phrase, found))
    return index


_INDEX = _index(
    (
        (_PSEUDO_KIND, _PSEUDO),
        (_BEFORE_KIND, _BEFORE + _DOUBTS),
        (_NEXT_KIND, _NEXT),
        (_AFTER_KIND, _AFTER),
        (_END_KIND, _TERMINATORS),
        (_LISTING_KIND, _LISTING),
    )
)
_HEADINGS = phrases(
    "negative for,negatives,negative,neg,nil,none,resolved,denies,denied,denying,no history of,absent,no,without,"
    "ruled out"
)
"""In front of a colon these deny what stands behind it: *negative for: fever, chills*."""
TRIGGER_WORDS = frozenset(
    ["resolved", "free", *(phrase[0] for listed in (_BEFORE, _DOUBTS, _NEXT, _AFTER) for phrase in listed)]
)
"""The words that triggers begin with: a sentence without one of them denies nothing."""


def _cues(words: Sequence[str], inside: frozenset[int]) -> dict[int, tuple[int, set[int]]]:
    """Cues of a sentence: position to (one past the last word, kinds). The longest phrase counts."""
    cues: dict[int, tuple[int, set[int]]] = {}
    behind = 0
    for position, word in enumerate(words):
        if position < behind or word not in _INDEX:
            continue
        for phrase, kinds in _INDEX[word]:
            last = position + len(phrase)
            if tuple(words[position:last]) == phrase and inside.isdisjoint(range(position, last)):
                cues[position] = (last, kinds)
                behind = last
                break
    return cues


def denied(words: Sequence[str], spans: Sequence[tuple[int, int]]) -> set[int]:
    """Return which concept spans of one sentence are denied, by index.

    Args:
        words: the sentence's words and marks in lower case.
        spans: half-open ranges of words, in order.
    """
    inside = frozenset(i for first, last in spans for i in range(first, last))
    cues = _cues(words, inside)
    found: set[int] = set()
    firsts = [first for first, _ in spans]

    def begin_within(low: int, high: int) -> range:
        return range(bisect_left(firsts, low), bisect_left(firsts, high))

    for position, (last, kinds) in cues.items():
        if _PSEUDO_KIND in kinds or _presupposes(words, position):
            found.update(begin_within(*_list_behind_change(words, cues, position, last)))
            continue
        after_copula = position > 0 and words[position - 1] in _COPULAS
        final = _is_final(words, last)
        # These deny the very next concept alone: a non-tender rash is one.
        attribute = words[position] == "non" or (words[position] == "resolved" and last in firsts and not after_copula)
        if attribute:
            begin = last + (words[last : last + 1] == ["-"])
            found.update(begin_within(begin, begin + 1))
        elif _AFTER_KIND in kinds and (after_copula or final or not kinds & {_BEFORE_KIND, _NEXT_KIND}):
            low = max(_scope_behind(words, cues, position), _of_a_test(words, position, last))
            if _refers_back(words, position):
                before = range(bisect_left(firsts, position) - 1, -1, -1)
                end = next((spans[index][1] for index in before if spans[index][1] <= position), 0)
                found.update(one for one in begin_within(end - _LONGEST_FINDING, end) if spans[one][1] == end)
            found.update(index for index in begin_within(low, position) if spans[index][1] <= position)
            if final or after_copula:
                continue
        if not attribute and kinds & {_BEFORE_KIND, _NEXT_KIND} and not _answers(words, position, last):
            if tuple(words[position:last]) in _DOUBTS:
                last = _behind_verb(words, last)
            found.update(begin_within(last, _scope_ahead(words, cues, last, short=_BEFORE_KIND not in kinds)))
    # "fever no, cough yes"
    noes = {at for at in cues if words[at] == "no" and words[at + 1 : at + 2] in ([], [","], ["/"])}
    # "seizure-free", but not "free of" or "free fluid"
    found.update([index for index, (_, end) in enumerate(spans) if end in noes or _is_free(words, end)])
    return found


def _of_a_test(words: Sequence[str], position: int, last: int) -> int:
    """Where begins what *negative* is about, if that is a test in a bracket: *pneumonia (culture negative)*; else 0."""
    if words[position] not in ("negative", "neg"):
        return 0
    near = range(position - 1, max(-1, position - _SUBJECT), -1)
    opening = next((at for at in near if words[at] in _OPEN | _CLOSE), None)
    if opening is None or words[opening] in _CLOSE:
        return 0
    inside = [*words[opening + 1 : position], *words[last : last + 1]]
    return opening if any(word.isalpha() and word not in _BESIDE_A_RESULT for word in inside) else 0


def _answers(words: Sequence[str], position: int, last: int) -> bool:
    """Whether a denial answers what stands before it: *No, cough: yes*, *rash no, cough yes*."""
    following = tuple(words[last : last + 2])
    return words[position] in ("no", "none") and following[:1] == (",",) and following[1:] not in (("or",), ("nor",))


def _is_free(words: Sequence[str], place: int) -> bool:
    """Whether *free* stands at a place and belongs to what precedes it."""
    following = words[place + 1] if place + 1 < len(words) else ""
    return tuple(words[place : place + 1]) == ("free",) and following not in _FREE_OF_ITS_OWN


def denies_list(words: Sequence[str]) -> bool:
    """Whether words before a colon deny what the colon introduces."""
    return any(tuple(words[-len(phrase) :]) == phrase for phrase in _HEADINGS)


def _behind_verb(words: Sequence[str], start: int) -> int:
    """Where the object of the next clause's verb begins: *that the patient is having …*."""
    for position in range(start, min(len(words), start + _SUBJECT)):
        if words[position] in _VERBS:
            while position < len(words) and words[position] in _VERBS:
                position += 1
            return position
    return start


def _list_behind_change(
    words: Sequence[str], cues: dict[int, tuple[int, set[int]]], position: int, last: int
) -> tuple[int, int]:
    """What is denied in *no change in vision, diplopia or pain*: all but the first; of definite things nothing."""
    if tuple(words[position:last]) not in _NO_CHANGE or tuple(words[last : last + 1]) != ("in",):
        return 0, 0
    high = _scope_ahead(words, cues, last, short=False)
    listed = list(words[last:high])
    if "," not in listed or not {"or", "nor"}.intersection(listed) or listed[1:2] in (["the"], ["his"], ["her"]):
        return 0, 0
    return last + listed.index(",") + 1, high


def _presupposes(words: Sequence[str], position: int) -> bool:
    """Whether a trigger speaks of what may be there.

    *Neither the rash nor the fever* does, definite, and not about having been seen; so do the order *rule out …* and
    *no correlation between rash and fever*.
    """
    if not _RELATIONS.isdisjoint(words[position + 1 : position + 1 + _TO_RELATION]):
        return True
    if words[position] == "no" and words[position + 1 : position + 2] == ["."]:  # a number
        return True
    if tuple(words[position : position + 2]) == ("rule", "out"):
        return position == 0 or not words[position - 1].isalpha()
    if words[position] not in ("neither", "nor") or words[position + 1 : position + 2] not in (
        ["the"],
        ["his"],
        ["her"],
    ):
        return False
    return _SEEN.isdisjoint(words[position + 2 :])


def _refers_back(words: Sequence[str], position: int) -> bool:
    """Whether what is denied at a position is what was named just before: *rash, and that was not seen*."""
    end = position
    while end > 0 and words[end - 1] in _COPULAS | _SEEMING:
        end -= 1
    return 0 < end < position and words[end - 1] in _REFERRING


def _scope_ahead(words: Sequence[str], cues: dict[int, tuple[int, set[int]]], start: int, *, short: bool) -> int:
    """Where a scope that begins at `start` ends, exclusive."""
    if short:  # the auxiliaries of "did not have", "could not have had" belong to the trigger
        while start < len(words) and words[start] in ("have", "had", "has", "been", "be", "show", "shows"):
            start += 1
    limit = min(len(words), start + (REACH_NEXT if short else REACH_BEFORE))
    comma, depth, opened = None, 0, start
    for i in range(start, limit):
        if words[i] == "," or words[i] in _DASHES:
            if short:
                return i
            comma = i
        elif words[i] in _OPEN:
            depth, opened = depth + 1, i
        elif words[i] in _CLOSE:
            depth -= 1
            if depth < 0:  # "(no fever) with cough"
                return i
        elif words[i] in _AFFIRMING and depth and _is_final(words, i + 1):  # "no fever (cough present)"
            return opened
        elif words[i] in _AFFIRMING and comma is not None and _is_final(words, i + 1):  # "no fever, cough present"
            if i > comma + 1 and {"or", "nor"}.isdisjoint(words[comma + 1 : i]):
                return comma
        elif i in cues and _END_KIND in cues[i][1]:
            # "no fever, and the rash was itchy": the clause of the terminating verb began behind the last comma,
            # unless the enumeration itself goes on there ("no fever, chills, or rash was noted").
            if comma is not None and i > comma + 1 and words[comma + 1] not in ("or", "nor"):
                return comma
            return i
    return limit


def _is_final(words: Sequence[str], index: int) -> bool:
    """Whether a clause ends here, or goes on only with a conjunction or a preposition: *present in the morning*."""
    return index >= len(words) or words[index] in (*_LIST_ENDS, "and", "or", "but", "on", "in", "by", "at", "with")


def _scope_behind(words: Sequence[str], cues: dict[int, tuple[int, set[int]]], position: int) -> int:
    """Where a scope that ends before `position` begins."""
    end = position - (position > 0 and words[position - 1] == ",")  # "pneumonia, resolved"
    plural = False
    while end > 0 and words[end - 1] in _COPULAS | _SEEMING | {"also", "therefore"}:
        end -= 1
        plural = plural or words[end] in ("were", "are", "have")
    for i in range(end - 1, max(-1, end - 1 - REACH_AFTER), -1):
        # One verb in the singular has one subject: "fever, and the cough was absent".
        if not plural and (words[i] == "," or (words[i] == "and" and end < position)):
            return i + 1
        if i in cues and _END_KIND in cues[i][1]:
            return cues[i][0]
    return max(0, end - REACH_AFTER)
