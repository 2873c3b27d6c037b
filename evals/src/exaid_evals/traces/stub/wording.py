"""Sentences of the simulated doctors and their supervisor, with places for what the case and the conversation put in.

`{a}`, `{b}`, `{c}` take findings, which stand where number does not matter (a sentence that needs none of them is
for cases in which none was recognized); `{dx}` and `{alt}` take
diagnoses, `{doc}` a colleague, `{test}` and `{aim}` a test, `{quote}` a sentence of the case without its full stop.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from exaid_evals.config.mas_generation import ConversationConfig
from exaid_evals.traces.stub.glossary import ENTRIES
from exaid_evals.traces.stub.statements import Mention, MentionKind, Sampler

OPENING = (
    "Here is a new case for the panel. Please work towards one diagnosis, a differential and the tests that are needed."
)

INTRO_FIRST = (
    "I have gone through the case in detail; here is how I read it.",
    "Let me start with what I consider the core of this presentation.",
    "Thank you for presenting this case. My first impressions follow.",
    "Before naming a diagnosis, I would like to sort the findings.",
    "This is a demanding case, and I will begin with the data themselves.",
)
INTRO_NEXT = (
    "I would like to add my own reading to what {doc} has said.",
    "Having listened to {doc}, I looked at the case once more from my side.",
    "My view overlaps with that of {doc} only in part.",
    "Let me complement {doc}'s analysis with a few points.",
    "I have read the case independently of {doc}, so some of this will repeat.",
)
AGREE = (
    "I agree with {doc} that the {a} should stand at the center.",
    "{doc}'s reasoning on the {a} is convincing to me.",
    "I share {doc}'s reading: the {a} and the {b} belong together.",
    "As {doc} has pointed out, one cannot set aside the {a}.",
    "I concur with {doc}, above all on the {a}.",
    "{doc} has put it well, and I can only add to the argument.",
    "Much of what {doc} said matches my own reading of the case.",
)
OBJECT = (
    "I have to disagree with {doc} on {alt}: it leaves the {a} unexplained.",
    "I see a problem with {doc}'s proposal. If this were {alt}, I would not expect the {a}.",
    "With respect to {doc}, {alt} seems to me to rest on too little, since it can hardly explain the {a}.",
    "I would push back on {alt}. {doc} has not told us how it accounts for the {a} and the {b}.",
    "{doc} favors {alt}, but I cannot fit the {a} into that picture.",
    "I am not convinced by {alt}, {doc}; too much of the history stays unexplained.",
)
PERSUADED = (
    "I started out with {alt}, but {doc}'s argument about the {a} has changed my mind, and I now lean towards {dx}.",
    "Having weighed the {a} again, I withdraw {alt} and follow {doc} in favoring {dx}.",
    "{doc} is right that {alt} does not cover the {a}. I am moving to {dx}.",
    "I concede the point on the {a} to {doc}; {dx} now ranks above {alt} for me.",
    "After {doc}'s remarks I no longer defend {alt}; {dx} is the better explanation.",
)
HOLDING = (
    "For now I stay with {dx} as the most likely diagnosis.",
    "My leading hypothesis remains {dx}.",
    "I still consider {dx} the best single explanation.",
    "On balance, {dx} remains at the top of my list.",
)
EVIDENCE = (
    "The combination of the {a} and the {b} makes me think of {dx}.",
    "{dx} would account for the {a} as well as for the {b}.",
    "I give much weight to the {a}, as one would expect it in {dx}.",
    "Seen together, the {a}, the {b} and the {c} form a pattern that I associate with {dx}.",
    "I would call the {a} the most specific finding of all, in support of {dx}.",
    "If I had to choose two leading findings, I would take the {a} and the {b}.",
    "What strikes me is the {a}, and I would not read it apart from the {b}.",
    "Taken alone, the {a} would be unspecific; alongside the {b} it gains weight.",
    "For me the {a} narrowed the list more than the {b}.",
    "Neither the {a} nor the {b} can prove it, yet both are compatible with {dx}.",
    "A single process that explains the {a}, the {b} and the {c} is more plausible than three separate ones.",
    "I asked myself whether the {a} could be incidental, and I do not think so.",
    "In my experience one rarely meets the {a} and the {b} together without a common cause.",
    "Any alternative to {dx} has to explain the {a} first.",
    "With the {a} in mind, I find {dx} easier to defend than the other candidates.",
    "The {a} may well have come first, and the {b} may be its consequence.",
    "I read the {a} as the beginning and the {b} as a later stage of one process.",
    "From my side, the {a} would be enough to test for {dx}.",
)
REPEAT = (
    "To come back to the {a}: we have heard of it before, and I still see no better explanation than {dx}.",
    "I want to repeat that our diagnosis must explain the {a}.",
    "Once more, this decision turns on the {a}.",
    "As already said, the {a} and the {b} both belong to the picture.",
    "Let me underline again the importance of the {a}.",
    "We keep returning to the {a}, and rightly so.",
)
QUOTE = (
    "The case states: “{quote}.” This should not be passed over.",
    "I would draw attention to this sentence: “{quote}.”",
    "According to the report, {inside}, and we have to account for that.",
    "We are told that {inside}.",
    "Please note that {inside}; I read this as relevant to our question.",
    "It is on record that {inside}.",
    "I keep returning to one detail, namely that {inside}.",
    "The report says that {inside}, which I would weigh against a chance finding.",
    "One more observation from the case: {inside}.",
)
DENIED = (
    "There is no mention of {neg}, which makes a more aggressive process less likely.",
    "I also note the absence of {neg}.",
    "The patient has no {neg}, as far as we are told.",
    "No {neg} has been reported, and I would count that against {alt}.",
    "It matters to me that this history is without {neg}.",
    "If this were {alt}, I would look for {neg}, and that is not described.",
    "As nobody reports {neg}, I see little reason to pursue {alt}.",
    "A negative finding also counts: no {neg} so far.",
)
DENIED_IN_CASE = (
    "The report explicitly denies {neg}, which argues against {alt}.",
    "Since there was no {neg}, I rank {alt} lower.",
    "The case was negative for {neg}, and we should take that seriously.",
)
NEAR_MISS = (
    "A family history of {a} would change my estimate, but none is reported.",
    "I considered whether relatives had {a} as well; we should ask them.",
    "One should ask the family about {a}.",
    "Had there been {a} in an earlier generation, {alt} would rise on my list.",
)
UNKNOWN = (
    "What remains open to me is the time course, about which we know little.",
    "I would like to know more about the family before I commit myself further.",
    "My confidence is moderate, since the data do not yet separate the candidates.",
    "There is some uncertainty here that only further tests can remove.",
    "I would put my confidence at about two in three at this point.",
    "I am fairly confident, though not certain.",
)
FINDING_NOTES = (
    "",
    "",
    " – probably part of the main process",
    " – unspecific if taken alone",
    " – to me the key finding",
    " – needs an explanation",
    " – may be secondary",
    " – objective and well documented",
)
FINDINGS_LEAD = (
    "Key findings:",
    "The findings I would build on:",
    "What stands out:",
    "Main points of the history and examination:",
    "Findings that any diagnosis has to explain:",
)
LEADING = (
    "Most likely diagnosis: {dx}.",
    "My working diagnosis is {dx}.",
    "I consider {dx} the most likely diagnosis.",
    "My leading hypothesis is {dx}.",
)
RIVAL_FOR = (
    "would explain the {a}, but hardly the {b}",
    "could produce the {a}, though the course argues against it",
    "remains possible because of the {a}",
    "can also come with the {a} and should be excluded by testing",
    "deserves a place on the list, if a low one",
    "would be my second choice, given the {a}",
    "cannot be dismissed as long as nothing else explains the {a}",
    "fits the setting, but would leave the {a} open",
    "is rarer still, yet it should be kept in mind",
    "fits in part, but I miss its typical course",
    "would have to be proved by testing before I could support it",
)
RIVALS_LEAD = (
    "Differential diagnosis:",
    "Alternatives that I would keep in mind:",
    "Other candidates:",
    "To be excluded:",
)
TESTS_LEAD = ("Recommended tests:", "As next steps in the work-up I suggest:", "Tests that would move us forward:")
TEST_SENTENCE = (
    "I would ask for {test} to {aim}.",
    "To {aim}, I propose {test}.",
    "The next step should be {test}, in order to {aim}.",
    "Has anyone thought of {test}? It would help to {aim}.",
    "Before anything invasive, {test} seems reasonable to {aim}.",
)
CLOSING = (
    "I would be glad to hear how {doc} sees this.",
    "{doc}, how would you fit the {a} into your hypothesis?",
    "I am open to revising this if there are better arguments.",
    "Does anyone see a finding that contradicts this?",
    "Could {doc} comment on the {a}?",
)
CONVERGING = (
    "I think we are close to a consensus on {dx}.",
    "Taking the discussion together, {dx} is where the arguments meet.",
    "I support {dx} as our common diagnosis.",
    "I have nothing to add that would change the order: {dx} first.",
    "We seem to agree that {dx} explains most of the picture.",
)
INTERJECTION = (
    "Thank you all. Let me take stock and challenge a few points before we go on.",
    "I would like to step in here, because some arguments have not been answered.",
    "Good discussion so far. There are gaps, however, that I want to see closed.",
)
CHALLENGES = (
    "How does {dx} account for the {a}?",
    "Nobody has yet discussed this statement: “{quote}.”",
    "Could the {a} be a consequence of the {b} rather than a primary finding?",
    "{doc}, please say which single test would separate {dx} from {alt}.",
    "Are we anchoring on the {a} at the expense of the {b}?",
    "Which finding, if it turned out to be wrong, would overturn {dx}?",
    "What makes {alt} less likely than {dx}, apart from its rarity?",
)
INTERIM = "The current state of the discussion:"
UNNAMED_RIVALS = (
    "An infectious process",
    "An inborn error of metabolism",
    "A drug-induced condition",
    "An autoimmune disorder",
    "A paraneoplastic syndrome",
)
SUMMING_UP = (
    "Thank you. The panel has exchanged its arguments, and I see no open point that more discussion would settle.",
    "I thank all three of you. Your views have come together sufficiently to close this discussion.",
    "We have reached a position that all of you can support, so I summarize it here.",
)
SETTLED = (
    "The panel's view rests above all on the {a}, the {b} and the {c}.",
    "The {a} and the {b} turned the scale.",
    "In the end the {a} and the {b} carried the most weight.",
    "The history as a whole carried more weight than any single finding.",
)
DISAGREEMENTS = (
    "Whether {alt} has been excluded with sufficient certainty",
    "The weight of the {a} in relation to the {b}",
    "The order of tests, in particular whether {test} should come first",
    "Whether to regard the {a} as part of the main process or as incidental",
)


_OF = re.compile(r"^([a-z]+(?:tion|ing|ment|sion|ness|ity|age|ure|th|ysis)) of (?:the )?([a-z-]+(?: [a-z-]+)?)$")
_KEEPS_S = re.compile(r"(?:ss|us|is|as|os|itis|osis)$")
# Heads that take a plural without a change of meaning; most findings are no such things.
_COUNTABLE = re.compile(
    r"(?:cyst|lesion|nodule|tumou?r|seizure|ulcer|fracture|defect|hernia|effusion|infection|papule|plaque|calcification|"
    r"hematoma|headache|hemorrhage|malformation|deformity|contracture|carcinoma|angioma|opacity|polyp|stone|node)$"
)
# Verbs and openings that may stand for one another when a sentence of the case is retold.
_RETOLD = (
    (re.compile(r"\brevealed\b"), "showed"),
    (re.compile(r"\bdemonstrated\b"), "showed"),
    (re.compile(r"\bexhibited\b"), "had"),
    (re.compile(r"\bexperienced\b"), "had"),
    (re.compile(r"\bThe patient presented with\b"), "the patient came in with"),
    (re.compile(r"\bthe patient presented with\b"), "the patient came in with"),
    (re.compile(r"\bpresented with\b"), "came in with"),
    (re.compile(r"\bwas noted\b"), "was seen"),
    (re.compile(r"\bwere noted\b"), "were seen"),
    (re.compile(r"\bsubsequently\b"), "later"),
    (re.compile(r"\bapproximately\b"), "about"),
    (re.compile(r"\bprior to\b"), "before"),
    (re.compile(r"\bdue to\b"), "because of"),
    (re.compile(r"\bwas diagnosed with\b"), "was found to have"),
    (re.compile(r"\bthere was no evidence of\b", re.IGNORECASE), "nothing pointed to"),
)


class Phrasebook:
    """Chooses a form for each phrase, and remembers which short forms the conversation has introduced.

    Args:
        short_forms: phrase in lower case → short form that the case itself introduces.
        config: how often each form is chosen.
        sampler: the conversation's stream.
    """

    def __init__(self, short_forms: Mapping[str, str], config: ConversationConfig, sampler: Sampler) -> None:
        self._short_forms = short_forms
        self._config = config
        self._sampler = sampler
        self._introduced: set[str] = set()

    def name(self, phrase: str) -> Mention:
        """Return a phrase in a form of the sampler's choice."""
        key = phrase.casefold()
        short = self._short_form(key)
        if short and self._sampler.chance(self._config.abbreviate):
            if key in self._introduced:
                return Mention(MentionKind.ABBREVIATED, short, phrase)
            self._introduced.add(key)
            return Mention(MentionKind.CANONICAL, f"{phrase} ({short})", phrase)
        if self._sampler.chance(self._config.paraphrase):
            entry = ENTRIES.get(key)
            if entry and entry.others and self._sampler.chance(0.7):
                return Mention(MentionKind.SYNONYM, self._sampler.pick(entry.others), phrase)
            inflected = inflect(phrase)
            if inflected != phrase:
                return Mention(MentionKind.INFLECTED, inflected, phrase)
        return Mention(MentionKind.CANONICAL, phrase, phrase)

    def plain(self, phrase: str) -> Mention:
        """Return a phrase as it stands."""
        return Mention(MentionKind.CANONICAL, phrase, phrase)

    def _short_form(self, key: str) -> str:
        own = self._short_forms.get(key)
        return own or (ENTRIES[key].short if key in ENTRIES else "")


def inflect(phrase: str) -> str:
    """Return a phrase in another number or word order, or as it is where neither is safe.

    >>> inflect("hepatic cysts"), inflect("dilatation of the bile ducts"), inflect("joint stiffness")
    ('hepatic cyst', 'bile duct dilatation', 'joint stiffness')
    """
    turned = _OF.match(phrase)
    if turned:
        return f"{_singular(turned[2])} {turned[1]}"
    head = phrase.split()[-1]
    if not head.islower() or not head.isalpha() or len(head) < 5:
        return phrase
    if _singular(head) != head:
        return phrase[: -len(head)] + _singular(head)
    if " of " in phrase or not _COUNTABLE.search(head):
        return phrase
    return f"{phrase[:-1]}ies" if head.endswith("y") else f"{phrase}s"


def retell(sentence: str) -> str:
    """Return a sentence of the case with other verbs, ready to stand inside another sentence."""
    for pattern, other in _RETOLD:
        sentence = pattern.sub(other, sentence)
    return sentence


def clause(sentence: str, most: int) -> str:
    """Return a sentence without its full stop, cut behind a clause where it is longer than `most`; may be empty."""
    sentence = sentence.rstrip(" .")
    if len(sentence) <= most:
        return sentence
    cut = max(sentence.rfind(mark, 40, most) for mark in (", ", "; "))
    return sentence[:cut] if cut > 0 and sentence[:cut].count("(") == sentence[:cut].count(")") else ""


# Words at the head of a sentence that keep their capital: names, months, and what is built like an acronym.
_PROPER = re.compile(
    r"""[A-Z][a-z]*(?:['’]s|[A-Z0-9]|-[A-Z0-9])|[A-Z0-9]+\b|
    (?:January|February|March|April|May|June|July|August|September|October|November|December|Doppler|Gram|Sanger|
    Saudi|Chinese|Caucasian|Japanese|Indian|African|Turkish|Hispanic|European|American|Asian|Coombs|Holter|Doctor)\b""",
    re.VERBOSE,
)


def inside(sentence: str) -> str:
    """Lower the first letter of a sentence that does not begin with a name or an acronym.

    >>> inside("Pathology was normal"), inside("MRI showed atrophy"), inside("A girl came")
    ('pathology was normal', 'MRI showed atrophy', 'a girl came')
    """
    if sentence.startswith("A ") or not _PROPER.match(sentence):
        return sentence[0].lower() + sentence[1:]
    return sentence


def _singular(words: str) -> str:
    if words.endswith("ies") and len(words) > 5:
        return f"{words[:-3]}y"
    if words.endswith("s") and not _KEEPS_S.search(words) and len(words) > 4:
        return words[:-1]
    return words
