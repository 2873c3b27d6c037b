"""What one speaker can do with a message: name evidence, quote, deny, propose, ask. Each move gives a block."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache, lru_cache

from exaid_evals.config.mas_generation import ConversationConfig
from exaid_evals.traces.stub import wording
from exaid_evals.traces.stub.findings import CaseText, Reading
from exaid_evals.traces.stub.glossary import PERTINENT_NEGATIVES
from exaid_evals.traces.stub.statements import Block, Mention, MentionKind, Sampler, Statement, filled
from exaid_evals.traces.stub.wording import Phrasebook, clause, inside, retell


@dataclass(frozen=True, slots=True)
class Test:
    """A test and what it is for.

    Attributes:
        name: with its short form, if it has one.
        aim: completes "to …".
    """

    name: str
    aim: str


# field | test | aim
_TABLE = """
any | whole exome sequencing (WES) | look for a monogenic cause without fixing the gene in advance
any | a targeted gene panel | confirm the leading hypothesis at the molecular level
any | chromosomal microarray analysis (CMA) | exclude a copy number variant
any | a complete blood count (CBC) with differential | set a baseline and look for cytopenias
any | C-reactive protein (CRP) and erythrocyte sedimentation rate (ESR) | tell inflammatory from structural disease
any | a three-generation pedigree | clarify the mode of inheritance
any | a comprehensive metabolic panel (CMP) | look at liver and kidney function and electrolytes
neuro | magnetic resonance imaging (MRI) of the brain with contrast | map structural lesions and white matter changes
neuro | electroencephalography (EEG) | document epileptiform activity
neuro | lumbar puncture with analysis of the cerebrospinal fluid (CSF) | exclude infection and inflammation
neuro | nerve conduction studies and electromyography (EMG) | separate neuropathy from myopathy
neuro | serum lactate, pyruvate and creatine kinase (CK) | screen for a mitochondrial or muscle disorder
cardiac | transthoracic echocardiography (TTE) | define anatomy and ventricular function
cardiac | cardiac magnetic resonance imaging (CMR) | characterize the myocardium
cardiac | a 24-hour Holter electrocardiogram (ECG) | look for arrhythmia
cardiac | N-terminal pro-B-type natriuretic peptide (NT-proBNP) and troponin | quantify myocardial strain and injury
cardiac | computed tomography angiography (CTA) | delineate the vessels
renal | urinalysis with microscopy and a protein-to-creatinine ratio | look for glomerular disease
renal | renal ultrasonography | assess size, cysts and the collecting system
renal | a renal biopsy with immunofluorescence | classify the lesion
renal | serum complement C3 and C4 | look for an immune-complex process
hepatic | liver function tests (LFTs) and gamma-glutamyl transferase (GGT) | classify the liver injury
hepatic | magnetic resonance cholangiopancreatography (MRCP) | outline the bile ducts
hepatic | a liver biopsy | establish the histological pattern
hepatic | abdominal Doppler ultrasonography | examine hepatic and portal flow
blood | a peripheral blood smear | look at cell morphology
blood | a bone marrow aspirate and biopsy | assess cellularity and exclude infiltration
blood | flow cytometry of peripheral blood | identify an abnormal clone
blood | a coagulation profile with factor assays | define a bleeding or clotting tendency
skin | a skin biopsy with direct immunofluorescence (DIF) | establish the histological diagnosis
skin | dermoscopy of the lesions | examine pattern and borders
skin | antinuclear antibodies (ANA) and an extended autoantibody panel | look for connective tissue disease
eye | optical coherence tomography (OCT) | examine the retinal layers
eye | full-field electroretinography (ERG) | test rod and cone function
eye | slit-lamp examination with tonometry | assess anterior segment and pressure
bone | a complete skeletal survey | look for a recognizable dysplasia
bone | serum calcium, phosphate and alkaline phosphatase (ALP) | exclude a metabolic bone disorder
bone | dual-energy X-ray absorptiometry (DXA) | measure bone mineral density
endocrine | thyroid function tests (TFTs) | exclude thyroid disease
endocrine | morning cortisol with adrenocorticotropic hormone (ACTH) | test the adrenal axis
endocrine | luteinizing hormone (LH) and follicle-stimulating hormone (FSH) | find the level of gonadal failure
endocrine | MRI of the pituitary | exclude a structural lesion of the gland
metabolic | plasma amino acids and urine organic acids | screen for an inborn error of metabolism
metabolic | an acylcarnitine profile | look for a fatty acid oxidation defect
metabolic | plasma ammonia and lactate | detect a metabolic crisis
metabolic | lysosomal enzyme assays in leukocytes | look for a storage disorder
lung | high-resolution computed tomography (HRCT) of the chest | characterize the parenchyma
lung | bronchoscopy with bronchoalveolar lavage (BAL) | look for infection and cell profile
lung | pulmonary function tests (PFTs) | quantify restriction and obstruction
lung | nasal nitric oxide measurement | screen for a ciliary disorder
gut | esophagogastroduodenoscopy (EGD) with biopsies | inspect and sample the upper tract
gut | colonoscopy with biopsies | exclude inflammatory bowel disease
gut | contrast-enhanced computed tomography (CT) of the abdomen | define the anatomy
gut | fecal calprotectin | detect mucosal inflammation
immune | quantitative immunoglobulins (IgG, IgA, IgM, IgE) | detect an antibody deficiency
immune | lymphocyte subsets | look for a cellular immune defect
immune | serum tryptase and complement levels | separate mast cell from bradykinin mediated disease
immune | repeated blood cultures | exclude bloodstream infection
joint | antineutrophil cytoplasmic antibodies (ANCA) | look for vasculitis
joint | rheumatoid factor (RF) and anti-cyclic citrullinated peptide (anti-CCP) | exclude rheumatoid arthritis
joint | ultrasonography of the affected joints | show synovitis or effusion
joint | a muscle biopsy | separate inflammatory from hereditary myopathy
tumor | positron emission tomography with CT (PET-CT) | stage the disease and find a site for biopsy
tumor | a core biopsy with immunohistochemistry (IHC) | establish the tumor's lineage
tumor | serum tumor markers | provide a baseline and narrow the differential
ear | pure-tone audiometry and auditory brainstem responses (ABR) | separate conductive from sensorineural loss
ear | CT of the temporal bones | look for a malformation of the inner ear
ear | flexible nasolaryngoscopy | inspect the airway
tooth | a panoramic radiograph (OPG) | examine tooth germs and jaws
tooth | cone-beam computed tomography (CBCT) | define the extent of the lesion
tooth | an incisional biopsy of the oral lesion | establish the histological diagnosis
sex | pelvic ultrasonography | examine uterus, ovaries or testes
sex | a karyotype | exclude a sex chromosome abnormality
sex | voiding cystourethrography (VCUG) | look for reflux and obstruction
sex | anti-Müllerian hormone (AMH) | estimate gonadal reserve
infection | polymerase chain reaction (PCR) for the suspected pathogens | prove the infection directly
infection | paired serology | show a rise of antibodies
infection | cultures of blood and of the affected site | isolate the organism
toxic | a toxicology screen of blood and urine | detect the exposure
toxic | arterial blood gas (ABG) with anion and osmolar gap | look for an unmeasured toxin
toxic | methemoglobin and carboxyhemoglobin levels | exclude a dyshemoglobinemia
birth | detailed fetal or neonatal ultrasonography | look for further malformations
birth | TORCH serology | exclude a congenital infection
birth | a review of exposures in the first trimester | identify a teratogen
"""

# How MAC's and the synthetic cases' categories begin → fields, the most telling first.
_FIELDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("neuro", ("neuro",)),
    ("card", ("cardiac",)),
    ("circul", ("cardiac", "blood")),
    ("thoracic", ("lung", "cardiac")),
    ("resp", ("lung",)),
    ("renal", ("renal",)),
    ("hepat", ("hepatic",)),
    ("haemat", ("blood",)),
    ("skin", ("skin",)),
    ("ophth", ("eye",)),
    ("bone", ("bone",)),
    ("endocr", ("endocrine",)),
    ("inborn", ("metabolic",)),
    ("gastro", ("gut", "hepatic")),
    ("abdom", ("gut", "hepatic")),
    ("immun", ("immune", "infection")),
    ("allerg", ("immune", "skin")),
    ("r", ("joint", "immune")),  # rheumatological, in several spellings
    ("neopl", ("tumor",)),
    ("otor", ("ear",)),
    ("odont", ("tooth",)),
    ("surgicalmax", ("tooth", "bone")),
    ("uro", ("sex", "renal")),
    ("gyn", ("sex", "tumor")),
    ("infert", ("sex", "endocrine")),
    ("infec", ("infection", "immune")),
    ("toxic", ("toxic",)),
    ("terat", ("birth",)),
    ("embryo", ("birth", "bone")),
    ("genetic", ("metabolic", "neuro")),
    ("transpl", ("blood", "infection")),
)


def _parse() -> dict[str, tuple[Test, ...]]:
    fields: dict[str, list[Test]] = {}
    for line in _TABLE.strip().splitlines():
        field, name, aim = (part.strip() for part in line.split("|"))
        fields.setdefault(field, []).append(Test(name, aim))
    return {field: tuple(tests) for field, tests in fields.items()}


_TESTS = _parse()


def tests_for(category: str) -> tuple[Test, ...]:
    """Return the tests of a category's fields, then those that any doctor may ask for."""
    fields = next((fields for start, fields in _FIELDS if category.startswith(start)), ())
    return tuple(test for field in (*fields, "any") for test in _TESTS[field])


_QUOTE_CHARS = 230
# What a report says about itself is not evidence.
_EMPTY = re.compile(
    r"\b(?:provided|mentioned|specified|not available|not given|not reported|anonymi[sz]ed|no mention)\b", re.IGNORECASE
)


@lru_cache(maxsize=2000)  # asked again for every message of a case
def _can_be_quoted(sentence: str) -> bool:
    return len(sentence) > 30 and not _EMPTY.search(sentence) and bool(clause(sentence, _QUOTE_CHARS))


@lru_cache(maxsize=4)
def _absent(text: str) -> tuple[str, ...]:
    """Return what a case of this text may be said not to have."""
    items = PERTINENT_NEGATIVES.items()
    return tuple([phrase for phrase, stems in items if not any(stem in text for stem in stems)])


_SLOT = re.compile(r"\{(\w+)\}")
# What a slot's words mention. An alternative may be argued for or against, and a test's aim is a suspicion: neither
# says whether the patient has it.
_KINDS = {"dx": MentionKind.CANONICAL, "alt": MentionKind.UNJUDGED, "aim": MentionKind.UNJUDGED}


@dataclass(slots=True)
class Conversation:
    """What everybody at the table knows: the case as it was read, and what has been said.

    Attributes:
        reading: the case.
        case_text: what its text states.
        book: chooses the form of each phrase.
        config: how often each thing is done.
        sampler: the conversation's stream.
        tests: what can be asked for, the most fitting first.
        named: phrases that were already named, in order.
        quoted: sentences that were already quoted.
        asked: tests that were already asked for, in order.
        candidates: the diagnosis and its rivals.
    """

    reading: Reading
    case_text: CaseText
    book: Phrasebook
    config: ConversationConfig
    sampler: Sampler
    tests: tuple[Test, ...]
    candidates: tuple[str, ...]
    named: list[str] = field(default_factory=list)
    quoted: set[str] = field(default_factory=set)
    asked: list[Test] = field(default_factory=list)
    _now: set[str] = field(default_factory=set)
    _taken: dict[tuple[str, ...], set[str]] = field(default_factory=dict)

    def begin_message(self) -> None:
        """Start a message: no sentence is quoted and nothing denied twice within one."""
        self._now.clear()

    def choose(self, templates: tuple[str, ...], *, without: str = "") -> str:
        """Return a template; none comes again before all that are usable have been taken.

        Args:
            templates: one of the tables of `wording`.
            without: a slot that cannot be filled now.
        """
        room = len(self.reading.findings)
        usable = [
            template
            for template in templates
            if _findings_needed(template) <= room and not (without and f"{{{without}}}" in template)
        ]
        taken = self._taken.setdefault(templates, set())
        fresh = [template for template in usable if template not in taken]
        if not fresh:
            taken.clear()
        chosen = self.sampler.pick(fresh or usable)
        taken.add(chosen)
        return chosen

    def say(self, templates: tuple[str, ...], *, without: str = "", **parts: str) -> Statement:
        """Fill one of the templates; `a`, `b` and `c` are found here, everything else is given."""
        template = self.choose(templates, without=without)
        given = {slot: self._part(slot, value) for slot, value in parts.items()}
        slots = [slot for slot in dict.fromkeys(_SLOT.findall(template)) if slot not in parts]
        for slot, phrase in zip(slots, self.pick_findings(len(slots)), strict=True):
            given[slot] = Statement.naming(self.book.name(phrase))
        return filled(template, given).capitalised()

    def _part(self, slot: str, value: str) -> Statement:
        """Return what a slot is filled with, and what that mentions."""
        if slot == "quote":
            return self.case_text.labelled(value)
        kind = _KINDS.get(slot)
        name = value.strip("*")
        return Statement(value, (Mention(kind, name, name, value.index(name)),) if kind else ())

    def pick_findings(self, n: int) -> list[str]:
        """Return up to `n` different phrases: mostly new ones, some that were named before."""
        found = [finding.phrase for finding in self.reading.findings]
        chosen: list[str] = []
        for _ in range(min(n, len(found))):
            fresh = [phrase for phrase in found if phrase not in self.named and phrase not in chosen]
            known = [phrase for phrase in self.named if phrase not in chosen]
            if known and (not fresh or self.sampler.chance(self.config.repeat)):
                chosen.append(self.sampler.pick(known))
            else:
                chosen.append(fresh[0] if self.sampler.chance(0.5) else self.sampler.pick(fresh))
        self.named += [phrase for phrase in chosen if phrase not in self.named]
        return chosen

    def pick_sentence(self) -> str | None:
        """Return a sentence of the case, rather one that nobody has quoted; None where none is short enough."""
        usable = [s for _, s in self.reading.sentences if s not in self._now and _can_be_quoted(s)]
        fresh = [sentence for sentence in usable if sentence not in self.quoted]
        if not usable:
            return None
        sentence = self.sampler.pick(fresh) if fresh else self.sampler.pick(usable)
        self.quoted.add(sentence)
        self._now.add(sentence)
        return sentence

    def quotation(self) -> Statement | None:
        """Quote or retell a sentence of the case."""
        sentence = self.pick_sentence()
        if sentence is None:
            return None
        quote = clause(sentence, _QUOTE_CHARS)
        template = self.choose(wording.QUOTE)
        copied = {"quote": quote, "inside": inside(retell(quote))}
        return filled(template, {slot: self.case_text.labelled(text) for slot, text in copied.items()})

    def denial(self, alt: str) -> Statement:
        """Weigh something that the patient does not have."""
        in_case = [finding.phrase for finding in self.reading.denied if finding.phrase not in self._now]
        absent = [phrase for phrase in _absent(self.reading.text) if phrase not in self._now]
        if in_case and self.sampler.chance(0.5):
            phrase, template = self.sampler.pick(in_case), self.choose(wording.DENIED_IN_CASE)
        else:
            phrase, template = self.sampler.pick(absent or ["other complaints"]), self.choose(wording.DENIED)
        self._now.add(phrase)
        denied = Statement.naming(Mention(MentionKind.NEGATED, phrase, phrase))
        return filled(template, {"neg": denied, "alt": self._part("alt", alt)}).capitalised()

    def near_miss(self, alt: str) -> Statement:
        """Name something that is not said of the patient: relatives, suspicions, what may come."""
        phrases = self.pick_findings(1)
        if not phrases:
            return self.denial(alt)
        named = Statement.naming(Mention(MentionKind.NEAR_MISS, phrases[0], phrases[0]))
        return filled(self.choose(wording.NEAR_MISS), {"a": named, "alt": self._part("alt", alt)})

    def next_tests(self, n: int) -> list[Test]:
        """Return tests, the most fitting of those that nobody has asked for first."""
        fresh = [test for test in self.tests if test not in self.asked]
        chosen = self.sampler.sample(fresh[: 2 * n + 1], n)
        self.asked += chosen
        return chosen

    def evidence(self, dx: str) -> Statement:
        """Argue for a diagnosis with findings, or with a sentence of the case."""
        # The fewer findings were recognized, the more is quoted.
        if self.sampler.chance(self.config.quote) or self.sampler.below(6) >= len(self.reading.findings):
            quotation = self.quotation()
            if quotation is not None:
                return quotation
        if self.named and self.sampler.chance(self.config.repeat):
            return self.say(wording.REPEAT, dx=dx)
        return self.say(wording.EVIDENCE if self.reading.findings else wording.UNKNOWN, dx=dx)

    def findings_list(self, n: int, *, markdown: bool) -> Block:
        """List findings, one a line."""
        lines = []
        for number, phrase in enumerate(self.pick_findings(n), start=1):
            label = Statement.naming(self.book.name(phrase)).capitalised()
            note = self.choose(wording.FINDING_NOTES)
            lines.append(label.between(f"{number}. **", f"**{note}") if markdown else label.between("- ", note))
        if not lines:
            return Block((self.say(wording.UNKNOWN),))
        return self._titled(wording.FINDINGS_LEAD, lines, markdown=markdown)

    def rivals_list(self, rivals: Sequence[str], *, markdown: bool) -> Block:
        """List other diagnoses with a reason each."""
        lines = []
        for number, rival in enumerate(rivals, start=1):
            reason = self.say(wording.RIVAL_FOR).lowered()
            line = f"{number}. **{{dx}}** {{reason}}." if markdown else f"{number}. {{dx}} {{reason}}."
            lines.append(filled(line, {"dx": self._part("dx", rival), "reason": reason}))
        return self._titled(wording.RIVALS_LEAD, lines, markdown=markdown)

    def tests_list(self, n: int, *, markdown: bool) -> Block:
        """List tests with their aim."""
        lines = []
        for test in self.next_tests(n):
            name = test.name.removeprefix("a ").removeprefix("an ")
            name = name[0].upper() + name[1:]
            aim = self._part("aim", test.aim)
            lines.append(aim.between(f"- **{name}** to " if markdown else f"- {name} to "))
        return self._titled(wording.TESTS_LEAD, lines, markdown=markdown)

    def _titled(self, leads: tuple[str, ...], lines: Sequence[Statement], *, markdown: bool) -> Block:
        lead = self.choose(leads)
        return Block((Statement(f"**{lead}**" if markdown else lead), *lines), joint="\n")


@cache
def _findings_needed(template: str) -> int:
    return sum(f"{{{slot}}}" in template for slot in "abc")


def diagnosis_name(raw: str) -> str:
    """Return a diagnosis as it is spoken of: without the data set's remarks in parentheses at its end.

    >>> diagnosis_name("Scimitar Syndrome(repeated)")
    'Scimitar Syndrome'
    """
    return re.sub(r"\((?:repeated|[A-Z]{2,6})\)$", "", raw.rstrip()).strip()
