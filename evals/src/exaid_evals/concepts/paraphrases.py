"""How plain English says what a medical term says in Greek and Latin: *nephritis*, an inflammation of the kidney.

Vocabularies that come without lay synonyms know only the learned name. Medical terms are built by rule, out of
combining forms that any textbook of medical terminology lists, so that many of them can be taken apart again. The
tables below are such a list, and no list of what a text or corpus was seen to say. What the rules give is used only
where it is not a vocabulary's own name, and where it fits one concept alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

# Noun | adjectives | combining forms that stand before -itis, -algia and -megaly.
_ORGANS = tuple(
    tuple(tuple(part.split()) for part in line.split("|"))
    for line in """
    liver | hepatic | hepat hepato
    spleen | splenic | splen spleno
    heart | cardiac | cardi cardio card
    kidney | renal | nephr reno
    lung | pulmonary | pneumon
    stomach | gastric | gastr
    intestine bowel | intestinal | enter
    colon | colonic | col
    bladder | vesical | cyst
    gallbladder | | cholecyst
    pancreas | pancreatic | pancreat
    brain | cerebral | encephal
    skin | cutaneous dermal | dermat
    joint | articular | arthr
    muscle | muscular | my myos
    nerve | neural | neur
    bone | osseous | oste
    ear | aural | ot
    nose | nasal | rhin
    eye | ocular | ophthalm
    head | cephalic | cephal
    tongue | lingual | gloss
    mouth | oral | stomat
    gum | gingival | gingiv
    tooth | dental | odont
    lip | labial | cheil
    throat | pharyngeal | pharyng
    larynx | laryngeal | laryng
    bronchus | bronchial | bronch
    pleura | pleural | pleur
    chest | thoracic |
    abdomen belly | abdominal |
    pelvis | pelvic |
    face | facial |
    neck | cervical |
    breast | mammary | mast
    uterus womb | uterine | metr
    testis testicle | testicular | orch
    ovary | ovarian | oophor
    vein | venous | phleb
    vessel | vascular | vascul angi
    artery | arterial | arter
    tendon | | tendon tendin
    cornea | corneal | kerat
    eyelid | palpebral | blephar
    retina | retinal | retin
    spine | spinal | spondyl
    skull | cranial |
    rib | costal |
    back | dorsal |
    vision sight eyesight | visual |
    hearing | auditory |
    cognition | cognitive |
    intellect | intellectual |
    breathing respiration | respiratory |
    movement | motor |
    speech speaking | |
    gait walking | |
    swallowing | |
    """.strip().splitlines()
)
# Combining form | what is measured in the blood.
_ANALYTES = tuple(
    tuple(tuple(part.strip() for part in half.split(",")) for half in line.split("|"))
    for line in """
    kal | potassium
    natr | sodium
    calc | calcium
    magnes | magnesium
    phosphat | phosphate
    chlor | chloride
    glyc | glucose, sugar, blood sugar, blood glucose
    albumin | albumin
    protein | protein
    cholesterol | cholesterol
    lipid | lipids
    triglycerid | triglycerides
    ammon | ammonia
    uric | uric acid, urate
    bilirubin | bilirubin
    insulin | insulin
    lactat | lactate
    homocystein | homocysteine
    """.strip().splitlines()
)
_CELLS = tuple(
    (
        tuple(form.strip() for form in line.split("|")[0].split(",")),
        tuple(n.strip() for n in line.split("|")[1].split(",")),
    )
    for line in """
    leuko, leukocyto | white cell, white blood cell, leukocyte
    thrombo, thrombocyto | platelet, thrombocyte
    neutro, neutrophil | neutrophil
    eosino, eosinophil | eosinophil
    baso, basophil | basophil
    lympho, lymphocyto | lymphocyte
    mono, monocyto | monocyte
    erythro, erythrocyto | red cell, red blood cell, erythrocyte
    """.strip().splitlines()
)
_IN_URINE = {"hemat": "blood", "protein": "protein", "glycos": "glucose", "bacteri": "bacteria", "albumin": "albumin",
             "hemoglobin": "hemoglobin", "myoglobin": "myoglobin", "keton": "ketones"}  # fmt: skip
_SIZES = {"micro": ("small",), "macro": ("large", "big"), "brachy": ("short",), "poly": ("extra", "supernumerary"),
          "syn": ("fused",), "dolicho": ("long",), "arachno": ("long, slender",)}  # fmt: skip
_PARTS = {"cephaly": ("head",), "gnathia": ("jaw", "chin"), "glossia": ("tongue",), "phthalmia": ("eye",),
          "ophthalmia": ("eye",), "dactyly": ("digit", "finger"), "stomia": ("mouth",), "cornea": ("cornea",),
          "tia": ("ear",), "cheilia": ("lip",), "dontia": ("tooth",)}  # fmt: skip

# Head of a name → what the rest of the name is called then: gait disturbance, abnormal gait.
_HEADS = {
    "impairment": ("impaired", "poor", "reduced"), "weakness": ("weak",), "stiffness": ("stiff",),
    "enlargement": ("enlarged",), "deformity": ("deformed",), "abnormality": ("abnormal",),
    "dilatation": ("dilated",), "dilation": ("dilated",), "disturbance": ("disturbed", "abnormal"),
    "laxity": ("lax",), "hypermobility": ("hypermobile", "lax"), "instability": ("unstable",),
    "atrophy": ("atrophic", "wasted"), "thickening": ("thickened",), "narrowing": ("narrowed",),
    "stenosis": ("narrowed",), "calcification": ("calcified",), "obstruction": ("obstructed", "blocked"),
    "insufficiency": ("insufficient",), "inflammation": ("inflamed",), "pain": ("painful", "aching"),
    "tenderness": ("tender",), "fragility": ("fragile",), "dysfunction": ("dysfunctional", "impaired"),
    "hypertrophy": ("hypertrophic", "enlarged", "thickened"), "fusion": ("fused",), "delay": ("delayed", "slow"),
}  # fmt: skip
_GLAND = re.compile(r"(?P<way>hypo|hyper)(?P<gland>thyroid|parathyroid|adrenal|pituitar|gonad)ism")
_GLANDS = {"pituitar": "pituitary", "gonad": "gonads"}
_DIFFICULT = {"dysphagia": "swallowing", "dyspnea": "breathing", "dysuria": "urination", "dysarthria": "articulation",
              "dyslexia": "reading", "dysgraphia": "writing", "dyscalculia": "calculating"}  # fmt: skip
_SENSITIVE = {"photophobia": "light", "phonophobia": "sound", "osmophobia": "odors"}
_SPEEDS = {"tachy": ("fast", "rapid"), "brady": ("slow",)}
_MOVES = {"cardia": ("heart rate", "heartbeat", "pulse"), "pnea": ("breathing", "respiration", "respiratory rate")}

_NOUNS = {form: nouns for nouns, _, forms in _ORGANS for form in forms}
_OTHER_WORDS = {
    word: tuple(other for other in (*nouns, *adjectives) if other != word)
    for nouns, adjectives, _ in _ORGANS
    for word in (*nouns, *adjectives)
}
_LEVEL = re.compile(r"(?P<way>hypo|hyper)(?P<form>\w+?)emia")
_URINE = re.compile(r"(?P<form>\w+?)uria")
_VERBAL = re.compile(r"[a-z]*(?:gh|ck|ch|sh|m[pb]|ss|k|t|d)")
"""Short names that may be verbs as well: *cough, coughing*. Of what is no verb nobody writes the other form."""
_PAIN = re.compile(r"(?P<place>[\w-]+(?: [\w-]+)?) pain")


def paraphrases(name: str) -> Iterator[str]:
    """Yield what plain English calls a term; may repeat itself, and may yield the name.

    Args:
        name: a vocabulary's name, in any case.

    >>> sorted(set(paraphrases("Gastromegaly")))
    ['enlarged stomach']
    >>> "low magnesium" in paraphrases("Hypomagnesemia"), "pain in the pelvis" in paraphrases("Pelvic pain")
    (True, True)
    """
    name = name.lower()
    words = name.split()
    if len(words) == 1:
        yield from _taken_apart(name)
    for number, word in enumerate(words if len(words) < 5 else ()):
        for other in _OTHER_WORDS.get(word, ()) if len(words) > 1 else ():
            yield " ".join([*words[:number], other, *words[number + 1 :]])
    if 1 < len(words) < 4:
        rest = " ".join(words[:-1])
        others = _OTHER_WORDS.get(rest, ())
        yield from (f"{quality} {noun}" for quality, noun in product(_HEADS.get(words[-1], ()), (rest, *others)))
    if found := _PAIN.fullmatch(name):
        place = found["place"].split()
        for noun in (place[-1], *_OTHER_WORDS.get(place[-1], ())):
            yield f"pain in the {' '.join([*place[:-1], noun])}"


def _taken_apart(word: str) -> Iterator[str]:
    if _VERBAL.fullmatch(word):
        yield f"{word}ing"
    yield from _enlarged(word)
    for suffix, patterns in (
        ("itis", ("inflammation of the {}", "{} inflammation", "inflamed {}")),
        ("algia", ("{} pain", "pain in the {}", "aching {}", "painful {}")),
    ):
        for noun in _NOUNS.get(word.removesuffix(suffix), ()) if word.endswith(suffix) else ():
            yield from (pattern.format(noun) for pattern in patterns)
    if found := _LEVEL.fullmatch(word):
        way = "low" if found["way"] == "hypo" else "high"
        for forms, names in _ANALYTES:
            if found["form"] in forms:
                yield from (
                    pattern.format(way, n) for n, pattern in product(names, ("{} {}", "{} serum {}", "{} {} level"))
                )
    for forms, cells in _CELLS:
        for form, (suffix, way) in product(
            forms, (("penia", "low"), ("sis", "high"), ("ia", "high"), ("cytosis", "high"))
        ):
            if word == form + suffix:
                yield from (pattern.format(way, c) for c, pattern in product(cells, ("{} {} count", "{} {}", "{} {}s")))
    if found := _GLAND.fullmatch(word):
        way = "underactive" if found["way"] == "hypo" else "overactive"
        yield f"{way} {_GLANDS.get(found['gland'], found['gland'])}"
    if word in _DIFFICULT:
        yield from (f"{how} {_DIFFICULT[word]}" for how in ("difficulty", "difficulty in", "trouble", "difficult"))
    if word in _SENSITIVE:
        yield from (f"sensitivity to {_SENSITIVE[word]}", f"{_SENSITIVE[word]} sensitivity")
    if (found := _URINE.fullmatch(word)) and found["form"] in _IN_URINE:
        yield f"{_IN_URINE[found['form']]} in the urine"
    for manners, things in ((_SIZES, _PARTS), (_SPEEDS, _MOVES)):
        for prefix, suffix in product(manners, things):
            if word == prefix + suffix:
                yield from (f"{manner} {thing}" for manner, thing in product(manners[prefix], things[suffix]))


def _enlarged(word: str) -> Iterator[str]:
    stem = word.removesuffix("megaly")
    if stem == word:
        return
    if stem in _NOUNS or stem.removesuffix("o") in _NOUNS:
        for noun in _NOUNS.get(stem) or _NOUNS[stem.removesuffix("o")]:
            yield f"enlarged {noun}"
    for cut in range(3, len(stem) - 2):
        first, last = stem[:cut], stem[cut:].removesuffix("o")
        if first in _NOUNS and last in _NOUNS:
            yield f"enlarged {_NOUNS[first][0]} and {_NOUNS[last][0]}"
