"""What stands between the words of a phrase and beside it, and makes it another phrase or none."""

from __future__ import annotations

import re
from collections.abc import Sequence

from exaid_evals.concepts.normalize import ABNORMAL, IMPAIRED, PART_KEYS
from exaid_evals.concepts.tokens import CONTENT, FREE, Tokens

_PERSONS = frozenset(
    """
    patient patients child children boy boys girl girls man men woman women male males female females infant infants
    newborn newborns neonate neonates adult adults individual individuals person persons people subject subjects
    brother brothers sister sisters sibling siblings sib sibs twin twins son sons daughter daughters mother father
    proband probands member members
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
"""Who has a finding may follow it as an adjective: *a mentally retarded boy*."""
OTHER_CLAUSE = frozenset(
    """
    which who occur occurs occurred noted found seen showed shown revealed may can but because has had he she they it
    """.split()  # noqa: SIM905
)
"""Between the words of a shared phrase these begin another statement."""
_ADJECTIVE = re.compile(r"(?:ic|al|ous|ar|ed|(?<!thr)ive|ary|id)$")
# What ends a phrase of several words in front of a noun describes that noun: *a face with broad forehead*.
_ATTRIBUTE = re.compile(
    r"(?!(?:ear|mal|scar|molar|interval|canal|withdrawal|refusal|survival|thrive)$).*(?:ic|al|ous|ar|ive|[ao]ry)$"
    r"|(?:short|long|small|large|broad|wide|narrow|thin|thick|high|low)$"
)
_OF_ITS_OWN = frozenset(
    """
    area areas bone bones function functions gland glands lobe lobes lumen muscle muscles organ organs part parts period
    periods region regions shaft skin sphincter spine structure structures syndrome syndromes system systems tissue
    tissues tract tracts ventilation wall walls
    """.split()  # noqa: SIM905
)
"""Behind an adjective these add little to what it says: *pain in the abdominal region*."""
_CARRIERS = frozenset(
    """
    area areas lesion lesions patch patches plaque plaques papule papules macule macules rash rashes spot spots eruption
    mass masses movement movements feature features characteristics sign signs symptom symptoms appearance speech
    episode episodes attack attacks
    """.split()  # noqa: SIM905
)
"""Behind one adjective that names a finding these say where or how it is seen: *an erythematous patch*."""
_DENYING = frozenset("no not without normal unremarkable absence negative".split())  # noqa: SIM905
"""Between the words of a phrase these say that it is none: *the liver and spleen were not enlarged*."""
_WITH = frozenset(["with", "for", "by", "from", "as"])
_PREDICATE = frozenset(["is", "are", "was", "were", "be", "been", "being", "remained", "became", "appeared"])


def describes_next(tokens: Tokens, places: Sequence[int], spelled: Sequence[str]) -> bool:
    """Whether a phrase ends in an adjective that belongs to the noun behind it: *poor visual contact*."""
    last = places[-1]
    key, following = tokens.keys[last], tokens.words[last + 1]
    if following in _PERSONS:
        return False
    if key not in spelled and (len(places) == 1 or _ADJECTIVE.search(key)):
        return len(places) > 1 or following not in _CARRIERS
    if len(places) == 1 or following in OTHER_CLAUSE:
        return False
    if not _ATTRIBUTE.match(key):  # "atypical chest pain", but "atypical chest wall"
        part = key in PART_KEYS and not tokens.words[last].endswith("s") and following not in _OF_ITS_OWN
        return part and tokens.stems[places[0]] in (ABNORMAL, IMPAIRED)
    if following in _OF_ITS_OWN and "with" not in tokens.words[places[0] : last]:
        return False
    return _PREDICATE.isdisjoint(tokens.words[places[-2] + 1 : last])


def parted(tokens: Tokens, places: Sequence[int], gaps: Sequence[Sequence[int]]) -> bool:
    """Whether what stands between the words of a phrase says that they do not belong together."""
    words = tokens.words
    if any(words[place] in _DENYING for gap in gaps for place in gap):
        return True
    stop = next((place for place in range(places[0], places[-1]) if words[place] in _WITH), None)
    if stop is None:
        return False
    head = max(place for place in places if place < stop)
    # "Disease with liver failure", but "difficulty with walking".
    return tokens.stems[head] == ABNORMAL or words[head].startswith("dis")


def inverted(tokens: Tokens, places: Sequence[int], gap: Sequence[int]) -> bool:
    """Whether a phrase is a head, a comma and adjectives that end the clause: *septal defect, ventricular*."""
    behind = [place for place in places if place > gap[-1]]
    closed = tokens.kinds[behind[-1] + 1] not in (CONTENT, FREE)
    adjectives = all(tokens.kinds[place] == FREE or _ADJECTIVE.search(tokens.keys[place]) for place in behind)
    return len(gap) == 1 and tokens.words[gap[0]] == "," and closed and adjectives
