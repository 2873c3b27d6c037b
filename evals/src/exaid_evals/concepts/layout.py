"""What the layout of a note says of the mentions in it: answers, signs, check boxes, sections.

Notes deny by form as much as by words: *Fever: no*, *fever (-)*, *[ ] fever*, a cell of a table. What stands under
*Family history* is not the patient's, drugs under *Allergies* are not given, and what instructions for discharge warn
of is not there. As in medspaCy (H. Eyre and others: Launching into clinical space with medspaCy. AMIA Annual Symposium
2021, 438–447), a section goes on to the next heading.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

from exaid_evals.concepts.base import Mention
from exaid_evals.concepts.context import DRUGS, RELATIVES

_NO = (
    r"no|none(?: (?:reported|noted|seen|known|detected))?|neg(?:ative)?|-ve|absent|den(?:ies|ied)|nil|false|n(?!/|\.\w)"
    r"|0(?:/10)?(?![.,]?\d)|nkd?a|no known (?:drug |food |medication )*allerg(?:y|ies)"
    r"|not (?:present|seen|found|detected)|ruled out|excluded|never|non-?reactive|[✗✘✖❌]"
)
# These begin with a class of marks, by which a search skips most of a text.
_ANSWER = re.compile(
    r"[:=?|\t→—–-](?:"
    rf"(?:(?<![—–-])|(?<=[ ][—–-])(?=[ ]))[ ]{{0,50}}[*_\" \t]{{0,9}}"
    rf"(?:(?P<no>{_NO})|yes|y|pos(?:itive)?|present|true|[✓✔✅])"
    r"(?=[*_\" \t]*(?:$|[.,;|)}\n\t]|[ ]{2}|[ ]/|[ ][—–-][ ]|[A-Z][\w ]{1,24}[:=?]))"
    r"|(?<=[:|\t])[ \t]{0,9}(?:(?P<dash>[-–−])|\+)[ \t]*(?=[,;|\t\n]|$)"
    r"|(?<=\?)[ ]{0,9}\n?[ \t]{0,9}(?:\[?\w{1,20}\]?:?[ ])?(?P<nope>no(?:ne|pe)?|nah|never|not (?:yet|really))"
    r"(?=[ ]*(?:$|[.,;!\n])))",
    re.IGNORECASE | re.MULTILINE,
)
# Behind what a question asks about: whether it is over, or what a test is called.
_TAIL = re.compile(
    r"(?:(?P<over>[ ](?:gone(?: away)?|go away|resolved?|stop(?:ped)?|ceased?|disappear(?:ed)?|subsided?))"
    r"|[ ](?:still|there|present|now|today|again|at all)|[ ](?:type )?[A-H]|[ ]virus"
    r"|[ ](?:pcr|antigen|tests?|serology|screen(?:ing)?|swab)|\?){1,12}\Z",
    re.IGNORECASE,
)
_QUESTION_ENDS = re.compile(r"[.;:=?|\n\t]|[ ]{2}|(?i:\b(?:no|none|yes),)")
_LISTING = re.compile(r"(?:[,/&()\s*•-]|\b(?:and|or)\b)*")
_LONGEST_QUESTION = 100  # code points
_SIGN = re.compile(
    r"[(\[] ?(?:(?P<minus>[-–−]|neg(?:ative)?|no|none|absent)|\+|pos(?:itive)?|yes|present) ?[)\]]", re.I
)
_PLUS = re.compile(r"(?<![\w)\]/])\+ ?[A-Za-z]|[ a-z]\+(?=[ ]*(?:[,;.\n]|$)|(?<=[a-z]\+)[ ])")
_ITEM_SIGN = re.compile(
    r"(?:(?<![\w)\]/–-])(?:(?P<minus>[-–−])|\+)|(?<=[,;:] )(?:(?P<spaced>[-–−])|\+)[ ])(?P<item>[A-Za-z][^\s,;]*)"
    r"|(?P<behind>[ ](?:(?P<last>[-–−])|\+))(?=[ ]*(?:[,;.\n]|$))|(?<=[a-z])\+(?=[\s,;.]|$)"
    # A dash may part what follows: "pain- worse at night, fever+".
    r"|(?<=[a-z])(?P<tight>[-–−])(?=[ ]{0,9}(?:[,;.\n]|$|(?:[a-z]{1,30}[ ]){0,2}[a-z]{1,30}[+–−-](?![\w])))",
    re.M,
)
_ITEMS_END = re.compile(r"[.;\n]")
_DENIES = re.compile(r"[ ]?(?:no|not|denies|without|negative)\b", re.I)
_BOX = re.compile(r"(?P<empty>\[ ?\]|\( \)|[☐□✗✘✖❌])|\[[xXvVyY*✓✔]\]|\([xX✓✔]\)|[☑☒■✓✔✅]")
_HEADING = re.compile(
    r"(?:^[ \t>#*_•-]*|(?<=[.:;|])[ \t]+)(?P<title>[A-Za-z][A-Za-z/&' -]{0,48}?)[ *_]*(?P<colon>:|[ ][-–][ ]|$)", re.M
)
_SECTIONS = (
    (re.compile(r"fam(?:ily)?(?: medical| health)? ?(?:history|histories|hx)|fm?/?hx?", re.I), "family"),
    (re.compile(r"(?:drug |medication |food |known )*allerg(?:y|ies)(?: history)?|adrs?", re.I), "allergies"),
    (
        re.compile(
            r"(?:strict )?return (?:precautions?|instructions|criteria)|(?:discharge|patient|home) instructions"
            r"|red flags|(?:when|reasons) to (?:call|return|seek)\b.*|patient education"
            r"|(?:immuni[sz]ation|vaccination)s?(?: history| status)?|vaccines?",
            re.I,
        ),
        "warnings",
    ),
)
_MAY_HAVE_SECTION = re.compile(
    r"[\n.:;|>#*_•-][ \t*_]{0,9}(?:fam|f/?hx?\b|fmhx?\b|[a-z ]{0,20}allerg|adrs?\b|(?:strict )?return|discharge ins"
    r"|patient (?:ins|ed)|home ins|red flag|when to|reasons to|immuni|vaccin)",
    re.I,
)
# Whatever that matches holds one of these, in any case; most texts have none, and are not searched.
_IN_SECTIONS = (
    *("fam", "fh", "f/h", "fmh", "allerg", "adr", "return", "discharge ins", "patient ins", "patient ed", "home ins"),
    *(": she ", ": he ", "red flag", "when to", "reasons to", "immuni", "vaccin"),
)
_ALSO_LETTERS = "İıſ"
"""A regular expression takes these for i and s where case does not count."""
_OTHER_SECTION = re.compile(
    r"(?:past|social|surgical|medical|obstetric|birth|developmental|review|physical|exam(?:ination)?|vitals?|labs?"
    r"|laboratory|imaging|assessment|impression|plan|hpi|pmh|psh|ros|history of|chief|medications?|meds|diagnos[ei]s"
    r"|hospital|discharge|problems?|clinical|investigations?|findings|conclusions?|recommendations?)\b.*"
    r"|(?:social|medical|surgical) (?:history|hx)",
    re.I,
)
_PATIENT = re.compile(
    r"(?:(?:the |this |our )?(?:patient|pt)\b(?!['’])|on (?:exam|arrival|admission)|we\b|(?:now )?present(?:s|ed|ing)\b"
    r"|(?:now|currently|today)\b|exam(?:ination)? |you (?:have|had|were|came|are being)\b)",
    re.I,
)
_PATIENT_AGAIN = re.compile(
    rf"(?<=[.;])\s+(?:{_PATIENT.pattern}|s?he (?:presents?|presented|was (?:admitted|referred|brought)|came)\b)"
    r"|\n[ \t]*you (?:have|had|were|came)\b",
    re.I,
)
_GIVEN = re.compile(
    r"[.;,\n][^.;,\n]*?\b(?:takes?|taking|prescribed|started|starts?|given|continued?|received|daily|[bt]id"
    r"|\d+ ?(?:mg|mcg|ml|units?))\b",
    re.I,
)
_HAS = re.compile(r"(?<=[.;])\s+ha[sd]\b", re.I)
_PRONOUN = re.compile(r"(?<=[.;])\s+s?he\b", re.I)
_RELATIVE = re.compile(rf"\b(?:{'|'.join(sorted(RELATIVES))})\b", re.I)
_HE = "father brother uncle nephew husband dad daddy grandfather grandpa mgf pgf".split()  # noqa: SIM905
_SHE = "mother sister aunt niece wife mom mum mommy mummy grandmother grandma mgm pgm".split()  # noqa: SIM905
_IS_HE = dict.fromkeys(_HE, True) | dict.fromkeys(_SHE, False)
# "Mother: she has asthma" in a list of relatives; where several speak, or one, it is what she says of her child.
_OF_RELATIVE = re.compile(
    rf"(?:^|(?<=[.;\n]))[ \t]*(?:(?:{'|'.join(_SHE)}): she|(?:{'|'.join(_HE)}): he)"
    r" (?:has|had|is|was|suffers)\b[^.\n]*",
    re.I | re.M,
)
_SAID_OF = re.compile(r": s?he (?:has|had|is|was|suffers)\b", re.I)  # begins what the former finds
_ALLERGY_ASKED = re.compile(
    r"allerg[^.?\n]{0,60}\?\s{0,9}(?:\[?\w{1,20}\]?:?[ ])?(?P<answer>[^.?\n]*?)(?=\btak(?:es?|ing)\b|[.?\n]|\Z)", re.I
)
_SPEAKER = re.compile(
    r"\b(?:doctor|dr|gp|clinician|physician|nurse|patient|pt|interviewer|provider|therapist|counsell?or)\b\.?:", re.I
)
_BLANK = re.compile(r"\s*")
_NEXT_LINE = re.compile(r"\n[ \t]*(?:(?P<blank>\n)|(?:\d{1,2}[.)][ ]+|[*•-][ ]+)?(?=[A-Z]))")
_NOTHING_MORE = re.compile(
    r"(?:none|nil|nka|nkda|no known|unremarkable|negative|unknown|non-?[ ]?contributory|not contributory|reviewed"
    r"|up[ -]to[ -]date|utd|current|complete)\b[^.;\n]*[.;](?=\s)",
    re.I,
)
"""After one of these, what else stands in the line of a heading is not about it: *Allergies: none. Takes aspirin.*"""

_ANSWERS = dict.fromkeys(("absent", "no", "negative", "not present", "denied", "denies"), True) | dict.fromkeys(
    ("present", "yes", "positive", "affirmed", "endorsed"), False
)
"""Heads of columns, and whether they deny."""
_CHECKED = re.compile(r"\s*(?:[xX*•✓✔✅☑☒■]|\[[xX✓✔]\]|yes|true|1)\s*", re.I)

_Part = tuple[int, int, bool]
"""Begin and end of a part of a text, and whether it is denied or affirmed."""


def may_have_heading(text: str) -> bool:
    """Whether a text has a word of a heading that `with_layout` knows: a quick look."""
    if any(map(text.lower().__contains__, _IN_SECTIONS)):
        return True
    return not text.isascii() and any(map(text.__contains__, _ALSO_LETTERS))


def has_layout(text: str) -> bool:
    """Whether a text may say something by its layout: a quick look."""
    bracketed = "[" in text
    if (bracketed or "( )" in text or not text.isascii()) and _BOX.search(text):
        return True
    if _ANSWER.search(text) or ((bracketed or "(" in text) and _SIGN.search(text)):
        return True
    if "+" in text and _PLUS.search(text):
        return True
    return may_have_heading(text) and _begins_section(text)


def _begins_section(text: str) -> bool:
    if "?" in text and _ALLERGY_ASKED.search(text):
        return True
    head = _MAY_HAVE_SECTION.match("\n" + text[:_LONGEST_QUESTION])
    return bool(head or _MAY_HAVE_SECTION.search(text) or _SAID_OF.search(text))


def with_layout(text: str, mentions: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """Return the mentions of a text with what its layout says of them; the same object where it says nothing.

    Args:
        text: any.
        mentions: found in it, ordered by start.
    """
    note = _Note(text, mentions)
    denied, others = dict[int, bool](), set[int]()
    for begin, end, no in (*note.answered(), *note.signed(), *note.boxes(), *note.columns()):
        denied.update((at, no) for at in note.within(begin, end))
    for begin, end, kind in (*note.sections(), *note.named()):
        for at in note.within(begin, end):
            drug = mentions[at].concept_id.startswith(DRUGS)
            if kind == "family" or drug == (kind == "allergies"):
                others.add(at)
    if not denied and not others:
        return mentions
    return tuple(
        one._replace(negated=denied.get(at, one.negated), experiencer="other" if at in others else one.experiencer)
        for at, one in enumerate(mentions)
    )


class _Note:
    """A text and what was found in it.

    Args:
        text: the text.
        mentions: ordered by start.
    """

    def __init__(self, text: str, mentions: Sequence[Mention]) -> None:
        self._text, self._mentions = text, mentions
        self._starts = [one.start for one in mentions]
        self._begin = {one.end: one.start for one in reversed(mentions)}
        """End of a mention → where the widest that ends there begins."""

    def within(self, begin: int, end: int) -> range:
        """Return which mentions begin within a part of the text."""
        return range(bisect_left(self._starts, begin), bisect_left(self._starts, end))

    def answered(self) -> Iterator[_Part]:
        """Yield questions, and whether they are denied: *Fever/chills: no*; of a list its last part, or all of it."""
        for answer in _ANSWER.finditer(self._text):
            end = self._before(answer.start())
            low = max(0, end - _LONGEST_QUESTION)
            if self._text[end - 1 : end] == ")":  # "Fever (at night): no"
                end = self._before(max(self._text.rfind("(", low, end), 0))
            over = False
            if end not in self._begin and (tail := _TAIL.search(self._text, low, end)):
                end, over = tail.start(), bool(tail["over"]) and answer[0][0] == "?"
            if end not in self._begin:
                continue
            begin = max((mark.end() for mark in _QUESTION_ENDS.finditer(self._text, low, end)), default=low)
            no = bool(answer["no"] or answer["dash"] or answer["nope"])
            yield self._asked(begin, end, asking=answer[0][0] == "?"), end, no != over

    def _asked(self, begin: int, end: int, *, asking: bool) -> int:
        """Return where begins what is answered: the last of several findings, or all where nothing else is said."""
        low = place = self._begin[end]
        for at in reversed(self.within(begin, low)):
            if self._mentions[at].end <= place:
                if not _LISTING.fullmatch(self._text, self._mentions[at].end, place):
                    return place if asking else low
                place = self._mentions[at].start
        return place if asking or _LISTING.fullmatch(self._text, begin, place) else low

    def signed(self) -> Iterator[_Part]:
        """Yield what has a sign: *fever (-)*, *(-) fever, chills (+) cough*, and *-fever, +cough* in one line."""
        line, leads = 0, False
        signs = [*_SIGN.finditer(self._text)]
        for place, sign in enumerate(signs):
            before, after = self._before(sign.start()), self._after(sign.end())
            if not place or "\n" in self._text[line : sign.start()]:
                leads = before not in self._begin
            line = sign.end()
            if (leads or before not in self._begin) and (at := self.within(after, after + 1)):
                stop = _ITEMS_END.search(self._text, self._mentions[at[0]].end)
                ends = [sign.start() for sign in signs[place + 1 : place + 2]] + ([stop.start()] if stop else [])
                yield after, min(ends, default=len(self._text)), bool(sign["minus"])
            elif before in self._begin:
                yield self._begin[before], before, bool(sign["minus"])
        lines = [*self._lines()] if "+" in self._text else []
        plus = [_PLUS.search(self._text, *line) is not None for line in lines]
        for place, (first, last) in enumerate(lines):  # a list may have a line for each
            near = any(plus[max(0, place - 1) : place + 2])
            for item in _ITEM_SIGN.finditer(self._text, first, last) if near else ():
                begin, end = item.span("item") if item["item"] else (self._begin.get(item.start()), item.start())
                if begin is not None and (plus[place] or not item["item"]):
                    yield begin, end, bool(item["minus"] or item["spaced"] or item["last"] or item["tight"])

    def boxes(self) -> Iterator[_Part]:
        """Yield what stands beside check boxes: behind each, or before each where a line begins with a finding."""
        for begin, end in self._lines() if _BOX.search(self._text) else ():
            if boxes := [*_BOX.finditer(self._text, begin, end)]:
                last = self._text[boxes[-1].end() : end].strip(" \t\n.,;|")  # "walks ✗, ataxia ✓" has the boxes behind
                leads = bool(last) and not self.within(begin, boxes[0].start())
                edges = [*[box.end() for box in boxes], end] if leads else [begin, *[box.start() for box in boxes]]
                for edge, box in zip(pairwise(edges), boxes, strict=True):
                    denies = leads and _DENIES.match(self._text, *edge)  # "[x] No fever"
                    yield *edge, bool(box["empty"] or denies)

    def columns(self) -> Iterator[_Part]:
        """Yield what a table marks, or lists, under *present* and *absent*."""
        heads: list[bool | None] = []
        for begin, end in self._lines():
            line = self._text[begin:end]
            mark = "|" if "|" in line else "\t"
            cells = line.rstrip("\n").split(mark)
            if len(cells) < 2:
                heads = []
                continue
            if {True, False} <= {*(new := [_ANSWERS.get(cell.strip(" *_").lower()) for cell in cells])}:
                heads = new
                continue
            edges = [*accumulate((len(cell) + 1 for cell in cells), initial=begin)]
            answers = [(place, head) for place, head in enumerate(heads[: len(cells)]) if head is not None]
            marked = [head for place, head in answers if _CHECKED.fullmatch(cells[place])]
            yield from ((begin, edges[answers[0][0]], head) for head in marked[-1:])  # what stands before the columns
            for place, head in answers:
                if not _CHECKED.fullmatch(cells[place]):
                    yield edges[place], edges[place + 1], head

    def sections(self) -> Iterator[tuple[int, int, str]]:
        """Yield sections that are not about what the patient has or is given, with their kind."""
        text = self._text
        headings = [*_HEADING.finditer(text)] if _begins_section(text) else []
        kinds = [next((kind for title, kind in _SECTIONS if title.fullmatch(one["title"])), None) for one in headings]
        ends, end = list[int](), len(text)
        for one, kind in zip(reversed(headings), reversed(kinds), strict=True):
            ends.append(end)
            end = one.start() if kind or self._opens(one) else end
        for found, kind, end in zip(headings, kinds, reversed(ends), strict=True):
            if kind is None:
                continue
            begin = _BLANK.match(text, found.end()).end()  # type: ignore[union-attr]
            inline = "\n" not in text[found.end() : begin]
            if nothing := inline and _NOTHING_MORE.match(text, begin, end):
                end = nothing.end()
            for line in _NEXT_LINE.finditer(text, begin, end):
                if line["blank"] or (inline and not _RELATIVE.match(text, line.end())):
                    end = line.start()
                    break
            again = _PATIENT.match(text, begin, end) or _PATIENT_AGAIN.search(text, begin, end)
            he = _PRONOUN.search(text, begin, end)
            if he:  # "Father with gout. She …" is about the patient
                named = {_IS_HE.get(one.lower().rstrip("s")) for one in _RELATIVE.findall(text, begin, he.start())}
                he = None if named & {"she" not in he[0].lower(), None} else he
            has = _HAS.search(text, begin, end) if kind != "family" else None
            given = _GIVEN.search(text, begin, end) if kind == "allergies" else None
            yield begin, min([end, *[one.start() for one in (again, he, has, given) if one]]), kind

    def named(self) -> Iterator[tuple[int, int, str]]:
        """Yield what is said of a named relative, *Mother: she has asthma*, and what answers about allergies."""
        yield from ((*one.span("answer"), "allergies") for one in _ALLERGY_ASKED.finditer(self._text))
        if _SAID_OF.search(self._text) and "?" not in self._text and not _SPEAKER.search(self._text):
            relatives = [*_OF_RELATIVE.finditer(self._text)]
            yield from ((*one.span(), "family") for one in relatives if len(relatives) > 1)

    def _opens(self, heading: re.Match[str]) -> bool:
        """Whether a heading opens another section: it is neither a relative's name nor a finding's in a list."""
        if _OTHER_SECTION.fullmatch(heading["title"]):
            return True
        relative = heading["colon"] != ":" or _RELATIVE.search(heading["title"])
        return not relative and not self.within(heading.start("title"), heading.end("title"))

    def _lines(self) -> Iterator[tuple[int, int]]:
        end = 0
        for line in self._text.splitlines(keepends=True):
            begin, end = end, end + len(line)
            yield begin, end

    def _before(self, place: int) -> int:
        while place and self._text[place - 1] in ' *_"':
            place -= 1
        return place

    def _after(self, place: int) -> int:
        while self._text[place : place + 1] == " ":
            place += 1
        return place
