"""Which words of clinical language carry content, and which of them say the same."""

from __future__ import annotations

from exaid_evals.concepts.normalize import stem, word_key

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
