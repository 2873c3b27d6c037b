"""Words of clinical language: which carry content, which say the same, and which are numbers, units and dates."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from exaid_evals.concepts.normalize import stem, word_key

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
)
_SPELLED = {word: n for n, word in enumerate(f"{_ONES} eighteen nineteen".split())}
_TENS = {
    word: 10 * n
    for n, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)
}
_SCALES = {"hundred": 100, "thousand": 1000}
_MONTH_NAMES = "january february march april may june july august september october november december"
_MONTHS = {name: n for n, month in enumerate(_MONTH_NAMES.split(), 1) for name in (month, month[:3])}

# A line: the unit that values are compared in, then units with how many of it they are.
_UNIT_TABLE = """
mg mg=1 milligram=1 g=1000 gram=1000 mcg=0.001 microgram=0.001 µg=0.001 ug=0.001
kg kg=1 kilogram=1 kilo=1 lb=0.45359237 pound=0.45359237
oz oz=1 ounce=1
ml ml=1 milliliter=1 millilitre=1 cc=1 l=1000 liter=1000 litre=1000 dl=100 deciliter=100
mm mm=1 millimeter=1 cm=10 centimeter=10
inch inch=1
mmhg mmhg=1
mmol mmol=1 millimole=1
meq meq=1 milliequivalent=1
unit unit=1 iu=1
bpm bpm=1
% %=1 percent=1
degree degree=1
minute minute=1 min=1
hour hour=1 hr=1
day day=1
week week=1 wk=1
month month=1
year year=1 yr=1
pack pack=1
tablet tablet=1 tab=1
"""
_UNITS = {
    name: (base, float(factor))
    for base, *units in (line.split() for line in _UNIT_TABLE.strip().splitlines())
    for name, _, factor in (unit.partition("=") for unit in units)
}
_NUMBER = re.compile(r"(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:[.,]\d+)?)([a-zµ%]*)")
_ORDINAL = re.compile(r"(\d{1,2})(?:st|nd|rd|th)?")
_PRESSURE = re.compile(r"(\d{2,3}) (?:/|over) (\d{2,3})", re.ASCII)
_LOWEST, _HIGHEST = 30, 300  # mmHg
_SCALES_OF_HEAT = {"c": (1.0, 0.0), "celsius": (1.0, 0.0), "f": (1.8, 32.0), "fahrenheit": (1.8, 32.0)}
_COLDEST, _HOTTEST = 30, 45  # °C of a body: a C or F behind another number is none
_CENTURY = 30
"""Years of two digits up to it are of this century."""


class Value(NamedTuple):
    """A number or a date.

    Attributes:
        number: digits without superfluous zeros, in the unit; a date as `2005-04-15`.
        unit: as in `mg`, or `mg/ml`; `date`; empty where none follows.
        end: index of the first word behind it.
    """

    number: str
    unit: str
    end: int


def read_value(words: Sequence[str], index: int, end: int) -> Value | None:
    """Return the value that begins at a word; None where none does.

    >>> read_value(["500", "mg", "daily"], 0, 3), read_value(["0.5", "g"], 0, 2)
    (Value(number='500', unit='mg', end=2), Value(number='500', unit='mg', end=2))
    >>> read_value(["101.3", "f"], 0, 2), read_value(["154", "lb"], 0, 2)
    (Value(number='38.5', unit='c', end=2), Value(number='69.9', unit='kg', end=2))
    >>> read_value("nineteen eighty four".split(), 0, 3).number, read_value(["06", "/", "19", "/", "07"], 0, 5).number
    ('1984', '2007-06-19')
    """
    if not (words[index][0].isdigit() or words[index] in _MONTHS or words[index] in _SPELLED or words[index] in _TENS):
        return None
    return _date(words, index, end) or _pressure(words, index, end) or _quantity(words, index, end)


def _date(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read month/day/year, a month's name with day and year, or year-month-day."""
    given = [(place, words[place]) for place in range(index, min(end, index + 5)) if words[place] not in ("/", ",")]
    if len(given) < 3:
        return None
    (_, one), (_, two), (last, three) = given[:3]
    slashed = list(words[index:last]).count("/") == 2
    day = _ORDINAL.fullmatch(two)
    if one in _MONTHS and day and re.fullmatch(r"\d{4}", three):
        return _dated(int(three), _MONTHS[one], int(day[1]), last + 1)
    if slashed and all(re.fullmatch(r"\d{1,2}", part) for part in (one, two)) and re.fullmatch(r"\d{2}|\d{4}", three):
        year = int(three) + (0 if len(three) == 4 else 2000 if int(three) <= _CENTURY else 1900)
        return _dated(year, int(one), int(two), last + 1)
    if (
        re.fullmatch(r"(?:19|20)\d\d", one)
        and last == index + 2
        and all(re.fullmatch(r"\d\d", part) for part in (two, three))
    ):
        return _dated(int(one), int(two), int(three), last + 1)
    return None


def _pressure(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read a blood pressure: 140/90, or 140 over 90."""
    found, behind = _PRESSURE.fullmatch(" ".join(words[index : min(end, index + 3)])), index + 3
    following = words[behind] if behind < end else ""
    if not found or following == "/" or not _LOWEST <= int(found[2]) < int(found[1]) <= _HIGHEST:
        return None
    return Value(f"{found[1]}/{found[2]}", "mmhg", behind + (following == "mmhg"))


def _dated(year: int, month: int, day: int, end: int) -> Value | None:
    return Value(f"{year:04}-{month:02}-{day:02}", "date", end) if 1 <= month <= 12 and 1 <= day <= 31 else None


def _quantity(words: Sequence[str], index: int, end: int) -> Value | None:
    """Read a number, in digits or words, and the unit behind it."""
    attached = ""
    if words[index][0].isdigit():
        found = _NUMBER.fullmatch(words[index])
        if not found or (found[2] and found[2] not in _UNITS and found[2] not in _SCALES_OF_HEAT):
            return Value(words[index], "", index + 1)  # 5th, t12
        amount, attached, behind = _amount(found[1]), found[2], index + 1
    else:
        spelled, behind = _spelled(words, index, end)
        if behind == index:
            return None
        amount = float(spelled)
    if not attached and behind < end and _unit(words[behind]) is not None:
        attached, behind = words[behind], behind + 1
    scale = attached if attached in _SCALES_OF_HEAT else words[behind] if behind < end else ""
    if scale in _SCALES_OF_HEAT and _unit(attached) in (None, ("degree", 1.0)):
        per, zero = _SCALES_OF_HEAT[scale]
        if _COLDEST <= (celsius := (amount - zero) / per) <= _HOTTEST:
            return Value(f"{celsius:.1f}".removesuffix(".0"), "c", behind + (scale != attached))
    base, factor = _unit(attached) or ("", 1.0)
    if base and behind + 1 < end and words[behind] in ("/", "per") and _unit(words[behind + 1]) is not None:
        below, divisor = _unit(words[behind + 1]) or ("", 1.0)
        base, factor, behind = f"{base}/{below}", factor / divisor, behind + 2
    # Pounds in kilograms as scales show them.
    digits = 3 if base == "kg" and factor < 1 else 6
    return Value(f"{amount * factor:.{digits}g}", base, behind)


def _amount(digits: str) -> float:
    return float(
        digits.replace(",", "") if re.fullmatch(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?", digits) else digits.replace(",", ".")
    )


def _unit(word: str) -> tuple[str, float] | None:
    return _UNITS.get(word) or _UNITS.get(word.removesuffix("s"))


def _spelled(words: Sequence[str], index: int, end: int) -> tuple[int, int]:
    """Return the number that words spell, and where it ends: at its beginning where they spell none."""
    total = part = 0
    first = index
    while index < end:
        word = words[index]
        value = _TENS.get(word, _SPELLED.get(word))
        if value is not None:
            if part % 100 and not (part % 10 == 0 and part % 100 >= 20 and value < 10):
                if not (10 <= part <= 20 and word in _TENS):  # nineteen eighty
                    break
                part *= 100
            part += value
        elif word in _SCALES and index > first:
            total, part = (total + part * 1000, 0) if word == "thousand" else (total, part * 100)
        else:
            break
        index += 1
    return total + part, index


STOP_WORDS = frozenset(
    """
    i me my we us our you your he him his she her hers it its they them their who whom whose which what that this
    these those there here am is are was were be been being has have had having do does did doing done will would
    shall should can could may might must a an the and or but nor if then than so because as until while of at by
    for with about against between into through during before after above below to from up down in out on off over
    under again further once only just also very too both each few more most other another else some such own same
    any all when where why how now well still yet however although though since upon within per via etc till s t d
    ll m re ve o let like lot no not none never nor neither cannot without n't ago past last old otherwise overall
    really quite anything something doctor dr mr mrs ms miss mister sir ma'am patient patients pt report reports
    reported state states stated say says said tell told note notes noted deny denies denied denying come comes came
    coming present presents presented presenting see sees saw seen today significant history mention mentions
    mentioned complain complains complained complaining remarkable known currently presently recently approximately
    about get gets got getting go goes going went gone review reviewed system systems ok okay um uh hm mm yeah yes
    yep nope nah hi hello thing things make makes made take takes taking took want know think thought feel feels
    feeling felt way bit kind sort time times visit office clinic ros hpi finding findings include includes included
    including appear appears show shows showed shown previous previously prior issue issues problem problems
    condition conditions
    """.split()  # noqa: SIM905 - a word list reads better than quoted strings
)
"""Function words, and those of reporting and conversing, which every note and every consultation has."""
NOTHING_WRONG_WORDS = frozenset("unremarkable noncontributory normal negative nil wnl benign none".split())  # noqa: SIM905
NOTHING_WORDS = frozenset(["none", "nil"])
"""Of those, the ones that deny whatever was asked."""
NO_WORDS = frozenset("no nope nah not never none negative neither".split())  # noqa: SIM905
DENYING_WORDS = NO_WORDS | frozenset("denies denied deny without nor cannot".split())  # noqa: SIM905
PLANNED, DONE, SUPPOSED = "planned", "done", "supposed"
TIMES = {
    word: time
    for time, words in (
        (
            PLANNED,
            "planned recommend recommends recommended scheduled consider suggest suggests pending awaiting will should",
        ),
        (
            DONE,
            "underwent received performed completed given showed shows revealed reveals started stopped was were",
        ),
        (SUPPOSED, "may might possible possibly probable probably suspected suspicious presumed questionable"),
    )
    for word in words.split()
}
"""Words that say whether something is yet to be done or has been done, or is only supposed."""
STARTED, STOPPED = "started", "stopped"
CHANGES = {
    word: change
    for change, words in (
        (STARTED, "start starts started starting begin begins began begun initiate initiated resume resumed restarted"),
        (STOPPED, "stop stops stopped stopping discontinue discontinued discontinuing quit cease ceased"),
    )
    for word in words.split()
}
"""Words that say whether something, such as a medicine, begins or ends."""
SIDES = {"left": "left", "right": "right", "bilateral": "both", "bilaterally": "both", "both": "both"}

# A line: words that say the same in lay and clinical language.
_SAME = """
pain ache aching sore hurt hurts hurting discomfort tender painful
tobacco smoke smokes smoked smoking smoker cigarette cigarettes nicotine
alcohol alcoholic drink drinks drinking drank drinker etoh liquor
drug drugs medication medications medicine medicines med meds
allergy allergies allergic intolerance
use used using uses user abuse abused misuse
surgery surgeries surgical operation operations operated postoperative
mother mom mum mommy maternal
father dad daddy paternal
baby infant newborn
child children kid kids
vomiting vomit vomited emesis
urination urine urinary urinate urinating void voiding pee
stool stools bowel feces
numbness numb paresthesia paresthesias tingling
abdomen abdominal belly stomach tummy gastric
work works worked working job occupation employed employment
home house
gallbladder cholecystectomy
appendix appendectomy appendicectomy
uterus hysterectomy
male man men gentleman boy
female woman women lady girl
relief relieve relieved improve improved improvement better
worse worsen worsened worsening
injury injure injured trauma
back return returned returns returning
fatigue tired tiredness fatigued exhaustion
fracture fractured break broke broken
dizziness dizzy lightheaded lightheadedness
itching itchy itch pruritus
fever fevers febrile feverish
rash rashes
intravenous intravenously iv
ekg ecg electrocardiogram
daily day days everyday
"""
_LINES = [line.split() for line in _SAME.strip().splitlines()]
_KEYS = {word_key(word): stem(word_key(line[0])) for line in reversed(_LINES) for word in line}


_ABBREVIATED = """
bp blood pressure
hr heart rate
rr respiratory rate
temp temperature
wt weight
ht height
htn hypertension
dm diabetes
sob shortness breath
cp chest pain
uti urinary infection
cad coronary disease
mi myocardial infarction
nkda drug allergy
nka allergy
"""
ABBREVIATED = {short: words for short, *words in (line.split() for line in _ABBREVIATED.strip().splitlines())}
"""What clinicians shorten, and the words that it stands for."""
DENYING_ABBREVIATIONS = frozenset(["nkda", "nka"])
"""These say that there is none."""


def content_key(word: str) -> str:
    """Return what a word is compared by: its stem, or that of the first of the words that say the same.

    >>> content_key("cigarettes") == content_key("smoker"), content_key("Rashes")
    (True, 'rash')
    """
    key = word_key(word)
    return _KEYS.get(key) or stem(key)
