"""Which concepts a text affirms of the patient: not those that it denies, supposes, or says of somebody else.

Of somebody else, after ConText: H. Harkema, J. N. Dowling, T. Thornblade, W. W. Chapman: ConText: an algorithm for
determining negation, experiencer, and temporal status from clinical reports. J Biomed Inform 42 (2009) 839–851. As
there, a trigger reaches from where it stands to a terminating term or the end of the sentence. Unlike there, a relative
is a trigger only as the subject of having something or as the place where it occurred (*her mother had seizures*,
*seizures in two siblings*), since relatives mostly report what they saw (*her mother noticed seizures*).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from functools import reduce
from operator import or_

from exaid_evals.concepts import negation
from exaid_evals.concepts.matcher import Match
from exaid_evals.concepts.tokens import STOP, Tokens

RELATIVES = frozenset(
    """
    mother father parent parents brother brothers sister sisters sibling siblings aunt aunts uncle uncles cousin cousins
    grandmother grandfather grandparent grandparents niece nephew twin relative relatives family families
    generation generations husband wife spouse mom mum mommy mummy dad daddy grandma grandpa sib sibs mgm mgf pgm pgf
    fam fhx
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
_PARENTAL = frozenset(["maternal", "paternal"])
_HAVING = frozenset("had has have having suffered suffers suffering died developed with diagnosed affected".split())  # noqa: SIM905
_BETWEEN = frozenset("who also was were is are been had has have likewise both all each never".split())  # noqa: SIM905
# What leads back to the patient, or opens a clause of its own.
_ENDS = frozenset(
    """
    patient patient's he she child girl boy infant neonate presented presents presenting admitted referred complained
    but however although though while whereas because since i we
    """.split()  # noqa: SIM905
)
_ABOUT_OTHERS = (
    *(("family", about) for about in ("history", "histories", "hx", "h")),
    ("fam", "hx"),
    ("fhx", "of"),
)
_ASKING = frozenset("ask asked asking question questioned".split())  # noqa: SIM905
_THE_PATIENT = frozenset("he she patient pt proband child boy girl baby infant son daughter".split())  # noqa: SIM905
_TOGETHER = (["and", "his"], ["and", "her"])
_OBSERVING = frozenset(
    """
    noticed noted reported observed seen said told described brought called given tried felt found asked heard
    concern concerns concerned worried worries
    """.split()  # noqa: SIM905
)
"""What a relative does rather than has: *his mother has noticed a rash*."""
_ASIDE = frozenset("been also not never no any some just recently".split())  # noqa: SIM905
_COMING = frozenset("by accompanied came comes come here presents presented attended attends".split())  # noqa: SIM905
"""How a patient came with a relative: *brought by his mother with fever*."""
_INFORMANTS = frozenset(
    "mother father parent parents family husband wife spouse mom mum mommy mummy dad daddy grandma grandpa".split()  # noqa: SIM905
)
_SPEAKING = _OBSERVING | frozenset(
    """
    he she his her hers him patient patient's pt child baby i i'm my me we our you your they them " “ reports says
    states notes notices denies describes thinks discussed informed updated aware agrees
    """.split()  # noqa: SIM905
)
"""Signs that one of these speaks, or is spoken with, of the patient: *Mother: he has had fever*."""
_RESUMING = _SPEAKING | _COMING | {"is", "was"}
"""Behind a comma these go on after a clause put in: *her mother, who has gout, reports a rash*."""
_IF_AGAINST_FACTS = frozenset(["had", "were", "should"])
_SUBJECTS = frozenset(["there", "he", "she", "it", "they", "we", "the"])
_APPOSED = ((",", "a"), (",", "an"), (",", "the"), (",", "aged"), (",", "who"))
_MOST_APPOSED = 10
_HEADING = 5  # words and the colon behind them
_MOST_BETWEEN = 4
_MOST_BEHIND = 12
_MOST_ASIDE = 30
_CLAUSE_ENDS = frozenset([",", ";"])

_TESTS = frozenset("diet marker markers panel panels screening vaccine vaccines vaccination prophylaxis clinic".split())  # noqa: SIM905
"""Behind a concept these make it part of their own name: tumor markers are not tumor."""

_SUPPOSING = negation.phrases(
    "rule out,r / o,exclude,tested for,"
    "risk of,risk for,risks of,screen for,screened for,screening for,monitor for,monitored for,monitoring for,"
    "watch for,watching for,vaccinated against,vaccinated for,immunized against,immunized for,vaccination against,"
    "vaccination for,immunization against,prophylaxis against,prophylaxis for,query"
)
"""What follows these is not there for all that they say."""
_ALLERGIC = frozenset(["allergic", "allergy", "allergies"])
DRUGS = ("DRUGBANK:", "MEDLINEPLUS:", "NHS:", "MESH:D")
"""How the ids of drugs begin."""
_SUPPOSING_WORDS = frozenset(cue[0] for cue in _SUPPOSING)
_IF = frozenset(["if", "for", "with"])
_RETURNING = frozenset("return call seek come contact notify".split())  # noqa: SIM905
_WHAT_MAY_COME = frozenset("develop develops developing experience experiences notice notices spike spikes".split())  # noqa: SIM905
_DEFINITE = tuple([word] for word in "the this these your her his my their".split())  # noqa: SIM905
_ABOUT = frozenset(["a", "the", "my", "her", "his", "about", "regarding", "on", "for", "returned"])
_APPOINTMENTS = frozenset(
    "follow followup check recheck evaluation review management results surgery visit refill refills".split()  # noqa: SIM905
)
"""What one returns for, and has: *return to clinic for diabetes follow-up*."""
_TO_RETURN, _TO_VERB, _MOST_SUPPOSED = 8, 4, 12  # words
_ASSERTING = frozenset(["(", "so", "take", "takes", "was", "were", "is", "are", "has", "had", ";", *_RETURNING])
_GROUNDS = frozenset(
    "with given because due since after he she who showed shows revealed positive admission - – —".split()  # noqa: SIM905
)
"""These begin why something is looked for, or what was found: *rule out stroke given headache*."""
_STATING = frozenset(
    """
    present noted reported observed seen persists persisted persisting continues continued ongoing improved improving
    resolved worsened worse started developed began
    """.split()  # noqa: SIM905
)
"""Behind the last comma of a list these make what they end a statement: *tested for flu, cough present*."""
_FOUND = frozenset("positive affected confirmed".split())  # noqa: SIM905
_SEARCHING = frozenset(["screen", "screened", "screening", "tested"])
_TO_RESULT = 7  # words
_QUERIED = 3  # words behind a question mark in front of them
_UNABLE = frozenset("not cannot unable nothing never without".split())  # noqa: SIM905

_DENIES, _OF_OTHERS, _AGAINST_FACTS, _TEST, _SUPPOSES = 1, 2, 4, 8, 16
"""What a word may begin, the third at the head of a sentence alone: one without them says all of the patient."""


_OF_ONE = (" he ", " she ", " his ", " her ", "-old", " yo ", " y/o ", "pmh", "hpi")
_OF_MANY = (
    *(" we ", "patients", "families", "syndrome", "disorder", "disease", " gene ", " genes ", "mutation", "cases"),
    " stud",
)
"""Parts of words that reports on one patient hold, and articles on a disease or a group."""


def about_one_patient(text: str) -> bool:
    """Whether a text speaks of one patient rather than of a disease or a group; one that says neither does."""
    text = f" {text.lower()}"
    of_one = sum(map(text.count, _OF_ONE))
    return of_one >= sum(map(text.count, _OF_MANY)) if of_one else not any(map(text.__contains__, _OF_MANY))


def _trigger(word: str) -> int:
    return (
        (word in negation.TRIGGER_WORDS) * _DENIES
        | (word in RELATIVES or word == "it" or word in _PARENTAL) * _OF_OTHERS
        | (word in _IF_AGAINST_FACTS) * _AGAINST_FACTS
        | (word in _TESTS) * _TEST
        | (word in _SUPPOSING_WORDS or word in _ALLERGIC or word in ("if", "return", "call")) * _SUPPOSES
    )


def not_affirmed(tokens: Tokens, matches: Sequence[Match]) -> tuple[frozenset[int], frozenset[int]]:
    """Find the matches that a text denies, and those that it supposes against the facts or says of somebody else.

    Args:
        tokens: of the text.
        matches: phrases found, ordered by first token.

    Returns:
        Indices into `matches`: of what is denied, and of what is not said of the patient.
    """
    denied: set[int] = set()
    others: set[int] = set()
    ids, known, ends = tokens.ids, tokens.lexemes.words, tokens.ends
    triggers = tokens.lexemes.column(_trigger)
    first, n = 0, len(matches)
    while first < n:
        sentence = bisect_left(ends, matches[first].first)
        begin, end = ends[sentence - 1] + 1 if sentence else 0, ends[sentence]
        last = first + 1
        while last < n and matches[last].first < end:
            last += 1
        kinds = {triggers[number] for number in ids[begin:end]}
        if len(kinds) > 1 or 0 not in kinds:
            words = [known[number] for number in ids[begin:end]]
            spans = [(match.first - begin, match.last - begin) for match in matches[first:last]]
            kind = reduce(or_, kinds)
            if kind & _DENIES:
                denied.update([first + index for index in negation.denied(words, spans)])
            if kind & _OF_OTHERS or words[0] in _IF_AGAINST_FACTS:
                asked = known[ids[end]] == "?"
                others.update([first + index for index in of_others(words, spans, asked=asked)])
            if kind & _SUPPOSES:
                drugs = [match.concept_id.startswith(DRUGS) for match in matches[first:last]]
                others.update([first + index for index in supposed(words, spans, drugs)])
            if kind & _TEST:
                behind = enumerate([after for _, after in spans])
                others.update(
                    [first + index for index, after in behind if words[after : after + 1] and words[after] in _TESTS]
                )
        mark = known[ids[begin - 1]] if begin else ""
        if mark == "?" and _asks_ahead(tokens, begin):
            queried = next((at for at in range(begin, begin + _QUERIED) if tokens.words[at] == ","), begin + _QUERIED)
            others.update(index for index in range(first, last) if matches[index].first < queried)
        elif mark == ":":
            before = [known[number] for number in ids[max(0, begin - _HEADING) : begin - 1]]
            if negation.denies_list(before) and not known[ids[begin]].isdigit():  # "room no: 5"
                denied.update(range(first, last))
            if before and before[-1] in RELATIVES:  # "sister: diabetes"
                speaks = _speaks(before[-1], [known[number] for number in ids[begin:end]])
                others.update(() if speaks else range(first, last))
        first = last
    return frozenset(denied), frozenset(others)


def _asks_ahead(tokens: Tokens, begin: int) -> bool:
    """Whether the question mark before a token is about what follows: *?pneumonia*, *impression: ? stroke*."""
    mark, starts = begin - 1, tokens.starts
    if tokens.words[begin] in ("yes", "no", "\n"):
        return False
    if mark and starts[mark] == tokens.end(mark - 1) and tokens.words[mark - 1].isalnum():
        return False
    return starts[begin] == starts[mark] + 1 or not mark or tokens.kinds[mark - 1] == STOP


def of_others(words: Sequence[str], spans: Sequence[tuple[int, int]], *, asked: bool = False) -> set[int]:
    """Return which concept spans of one sentence are not said of the patient, by index.

    Args:
        words: the sentence's words and marks in lower case.
        spans: half-open ranges of words, in order.
        asked: whether the sentence is a question: *should he see somebody about his fever?* supposes nothing.
    """
    inside = frozenset(i for first, last in spans for i in range(first, last))
    found: set[int] = set()
    firsts = [first for first, _ in spans]
    widest: dict[int, int] = {}  # where scopes end, to where the first of them begins
    for low, high in _scopes(words, inside, asked=asked):
        widest[high] = min(low, widest.get(high, low))
    for high, low in widest.items():
        begin_there = range(bisect_left(firsts, low), bisect_left(firsts, high))
        found.update(index for index in begin_there if spans[index][1] <= high)
    parental = [index for index, (first, _) in enumerate(spans) if first and words[first - 1] in _PARENTAL]
    found.update(index for index in parental if not words[spans[index][0]].startswith(("uniparental", "upd")))
    # A finding directly behind *it* is the verb of a thing: an argument that gains weight.
    found.update(index for index, (first, _) in enumerate(spans) if first and words[first - 1] == "it")
    return found


def _scopes(words: Sequence[str], inside: frozenset[int], *, asked: bool) -> Iterator[tuple[int, int]]:
    """Yield the ranges of words that speak of others, or of what would be if the facts were not what they are."""
    if not asked and len(words) > 1 and words[0] in _IF_AGAINST_FACTS and _supposes(words, named=2 in inside):
        yield 1, _clause_end(words, 1)
    ends = [index for index, word in enumerate(words) if word in _ENDS]

    def end(start: int) -> int:
        return next(iter(ends[(at := bisect_left(ends, start)) : at + 1]), len(words))

    for position, word in enumerate(words):
        if word not in RELATIVES or position in inside:
            continue
        if tuple(words[position : position + 2]) in _ABOUT_OTHERS:
            yield position + 2, end(position + 2)
            continue
        if words[position + 1 : position + 2] == ["s"] and position + 2 in inside:  # "her sister's asthma"
            yield position + 2, next((at for at in range(position + 2, len(words)) if at not in inside), len(words))
        before = list(words[max(0, position - _MOST_BETWEEN) : position])
        if before[-2:] in _TOGETHER and not _THE_PATIENT.isdisjoint(before[-3:-2]):
            continue
        if before[-2:-1] == ["with"] and words[position + 1 : position + 2] == ["and"]:  # "lives with her mother and"
            continue
        if words[position + 1 : position + 2] == ["-"]:  # "grandmother - dementia"
            first, close = position + 2, end(position + 2)
            speaks = _speaks(word, words[first : min(close, first + _MOST_BEHIND)])
            if before[-1:] not in (["from"], ["per"]) and not speaks:
                yield first, close
        behind = _behind_having(words, position + 1)
        came = behind is not None and words[behind - 1] == "with" and not _COMING.isdisjoint(before)
        if behind is not None and not came:
            # "Healthy parents with a …" may go on with the patient.
            close = behind + _MOST_BETWEEN if words[behind - 1] == "with" else len(words)
            if before[-1:] == ["whose"]:
                close = _aside_end(words, behind, _RESUMING | _HAVING)
            elif words[position + 1 : position + 3] == [",", "who"]:
                close = _aside_end(words, behind, _RESUMING)
            yield behind, min(end(behind), close)
        if "in" in before or "among" in before:
            yield _start(words, position - 1), position
        if _ASKING.intersection(before) and "about" in words[position + 1 : position + 3]:
            yield position + 2, end(position + 2)


def _supposes(words: Sequence[str], *, named: bool) -> bool:
    """Whether a sentence begins with what is not so: *had he come*, *should pain occur*; *should her pain go on* is.

    Args:
        words: of the sentence, two at least.
        named: whether a finding begins at the third.
    """
    if words[0] != "should":
        return words[1] in _SUBJECTS
    return words[1] not in ("i", "we") and not (named and [words[1]] in _DEFINITE)


def _speaks(relative: str, behind: Sequence[str]) -> bool:
    answers = behind[:1] in (["yes"], ["no"]) and behind[1:2] == [","]
    return relative in _INFORMANTS and (answers or not _SPEAKING.isdisjoint(behind))


def supposed(words: Sequence[str], spans: Sequence[tuple[int, int]], drugs: Sequence[bool]) -> set[int]:
    """Return which concept spans of one sentence are supposed, by index: *screening for*, *if you develop*.

    Args:
        words: the sentence's words and marks in lower case.
        spans: half-open ranges of words, in order.
        drugs: whether each is a drug; one that a patient is allergic to is not given, and no other cue speaks of them.
    """
    found: set[int] = set()
    firsts = [first for first, _ in spans]
    begins = set(firsts)
    drug_ends: dict[int, list[int]] = {}
    for index, (_, end) in enumerate(spans):
        if drugs[index]:
            drug_ends.setdefault(end, []).append(index)
    for position, word in enumerate(words):
        allergic = word in _ALLERGIC
        if allergic:  # "penicillin allergy", "allergic to penicillin"
            found.update(drug_ends.get(position, ()))
            behind = position + 2 if words[position + 1 : position + 2] == ["to"] else None
        else:
            behind = _supposed_behind(words, position)
        if behind is not None:
            most = min(len(words), behind + _MOST_SUPPOSED)
            ends = _ASSERTING if allergic or word in _IF else _ASSERTING | _GROUNDS
            end = next((at for at in range(behind, most) if words[at] in ends), most)
            end = end if allergic or word in _IF else _statement(words, behind, end, begins)
            inside = range(bisect_left(firsts, behind), bisect_left(firsts, end))
            if word in _SEARCHING and inside and _is_found(words, spans[inside[-1]][1]):
                continue
            found.update(index for index in inside if drugs[index] == allergic)
    return found


def _statement(words: Sequence[str], start: int, end: int, begins: Collection[int]) -> int:
    """Return where begins a statement that follows a list behind a comma; the list's end where none does."""
    stated = next((at for at in range(start, end) if words[at] in _STATING and at + 1 not in begins), start)
    comma = next((at for at in range(stated - 1, start, -1) if words[at] == ","), end)
    return end if words[comma + 1 : comma + 2] in (["or"], ["and"]) else comma


def _is_found(words: Sequence[str], start: int) -> bool:
    """Whether what was looked for is there: *tested for deafness and found to be affected*."""
    at = next((i for i in range(start, min(len(words), start + _TO_RESULT)) if words[i] in _FOUND), 0)
    return at > 0 and words[at - 1] not in ("not", "false") and words[at + 1 : at + 2] != ["for"]


def _supposed_behind(words: Sequence[str], position: int) -> int | None:
    """Return where begins what a cue at a position supposes."""
    word = words[position]
    if word in ("rule", "exclude") and not _UNABLE.isdisjoint(words[max(0, position - _TO_VERB) : position]):
        return None
    if word == "query" and not _ABOUT.isdisjoint(words[max(0, position - 1) : position + 2]):
        return None  # a question, or a search
    if word in _SUPPOSING_WORDS:
        cues = [one for one in _SUPPOSING if tuple(words[position : position + len(one)]) == one]
        return position + len(cues[0]) if cues else None
    if word not in _IF:
        return None
    returning = not _RETURNING.isdisjoint(words[max(0, position - _TO_RETURN) : position])
    if word == "if":
        may_come = not _WHAT_MAY_COME.isdisjoint(words[position + 1 : position + 1 + _TO_VERB])
        definite = words[position + 1 : position + 2] in _DEFINITE  # "call if the pain goes on"
        return position + 1 if may_come or (returning and not definite) else None
    returning = returning and words[0] in (*_RETURNING, "please")
    planned = not _APPOINTMENTS.isdisjoint(words[position + 1 : position + 1 + _TO_RETURN])
    return position + 1 if returning and not planned else None


def _behind_having(words: Sequence[str], start: int) -> int | None:
    """Return where begins what a relative has; None where the relative is not a subject of having."""
    if tuple(words[start : start + 2]) == (",", "who") and (behind := _behind_having(words, start + 2)) is not None:
        return behind
    if tuple(words[start : start + 2]) in _APPOSED:  # "her mother, a woman of 29, had"
        start = next((i + 1 for i in range(start + 1, start + _MOST_APPOSED) if words[i : i + 1] == [","]), start)
    position = start
    while position < len(words) and position - start < _MOST_BETWEEN:
        if words[position] in _HAVING:
            done = next((word for word in words[position + 1 : position + 4] if word not in _ASIDE), None)
            return None if done in _OBSERVING else position + 1
        if words[position] not in _BETWEEN and words[position] not in RELATIVES | {"and", "or"}:
            return None
        position += 1
    return None


def _clause_end(words: Sequence[str], start: int) -> int:
    return next((i for i in range(start, len(words)) if words[i] in _CLAUSE_ENDS), len(words))


def _aside_end(words: Sequence[str], start: int, verbs: frozenset[str]) -> int:
    """Return where a clause ends that is put in: *whose sister had gout, has asthma*; not at a comma of a list."""
    near = range(start, min(len(words) - 2, start + _MOST_ASIDE))
    ends = (i for i in near if words[i] == "," and (words[i + 1] in verbs or words[i + 2] in _OBSERVING))
    return next(ends, len(words))


def _start(words: Sequence[str], position: int) -> int:
    """Return where begins the clause that ends in *in her family*."""
    for i in range(position, max(-1, position - _MOST_BEHIND), -1):
        if words[i] in _ENDS or words[i] in _CLAUSE_ENDS or words[i] in ("had", "has", "have", "with"):
            return i + 1
    return max(0, position - _MOST_BEHIND)
