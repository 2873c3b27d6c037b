"""Other words for clinical phrases, as colleagues at a table use them. Written by hand for the stub alone.

No table of an extractor is read here: a talk that borrowed its paraphrases from the extractor that later reads it
would make that extractor look better than it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A phrase with its other forms.

    Attributes:
        phrase: as case reports write it, lower case.
        short: the usual short form; empty where there is none.
        others: paraphrases that mean the same, without articles.
    """

    phrase: str
    short: str
    others: tuple[str, ...]


# phrase | short form | paraphrase; paraphrase
_TABLE = """
ventricular septal defect | VSD | hole in the ventricular septum
atrial septal defect | ASD | defect of the atrial septum
patent ductus arteriosus | PDA | persistent arterial duct
patent foramen ovale | PFO | open foramen ovale
tetralogy of fallot | TOF |
coarctation of the aorta | CoA | narrowing of the aortic isthmus
congestive heart failure | CHF | cardiac decompensation
heart failure | HF | cardiac failure
hypertrophic cardiomyopathy | HCM | thickened heart muscle
dilated cardiomyopathy | DCM | enlarged, weak left ventricle
pulmonary arterial hypertension | PAH | raised pressure in the pulmonary circulation
pulmonary hypertension | PH | raised pulmonary artery pressure
pulmonary embolism | PE | clot in the pulmonary arteries
deep vein thrombosis | DVT | clot in the deep veins
atrial fibrillation | AF |
mitral regurgitation | MR | leaking mitral valve
hypertension | HTN | high blood pressure; elevated blood pressure
hypotension | | low blood pressure
tachycardia | | fast heart rate; rapid pulse
bradycardia | | slow heart rate
palpitations | | awareness of the heartbeat
syncope | | fainting; transient loss of consciousness
cyanosis | | bluish discoloration
edema | | swelling; fluid retention
chest pain | | thoracic pain; pain in the chest
cardiomegaly | | enlarged heart
myocardial infarction | MI | heart attack
dyspnea | | shortness of breath; breathlessness
shortness of breath | SOB | dyspnea; breathlessness
cough | | coughing
hemoptysis | | coughing up of blood
respiratory distress | | labored breathing
respiratory insufficiency | | insufficient breathing
respiratory failure | | failure of breathing
pneumonia | | lung infection
pleural effusion | | fluid around the lung
recurrent respiratory infections | | chest infections again and again
acute respiratory distress syndrome | ARDS |
chronic obstructive pulmonary disease | COPD |
apnea | | pauses in breathing
asthma | | reactive airways
fever | | pyrexia; raised temperature; febrile episodes
fatigue | | tiredness; exhaustion
weight loss | | loss of weight; falling weight
malaise | | feeling of being unwell
night sweats | | sweating at night
lymphadenopathy | LAD | enlarged lymph nodes; swollen nodes
pallor | | pale appearance
anorexia | | loss of appetite; poor appetite
poor appetite | | reduced appetite
vomiting | | emesis; bringing up of food
nausea | | queasiness
nausea and vomiting | N/V | queasiness with emesis
diarrhea | | loose stools
constipation | | infrequent stools
abdominal pain | | belly pain; pain in the abdomen
abdominal distension | | swollen abdomen; bloated belly
abdominal distention | | swollen abdomen; bloated belly
dysphagia | | difficulty in swallowing; trouble swallowing
gastroesophageal reflux | GER | reflux of stomach contents
gastrointestinal bleeding | GIB | blood loss from the gut
feeding difficulties | | poor feeding; trouble with feeding
malabsorption | | poor absorption of nutrients
ascites | | free abdominal fluid
jaundice | | icterus; yellow skin and sclerae
hepatomegaly | | enlarged liver; enlargement of the liver
splenomegaly | | enlarged spleen; enlargement of the spleen
hepatosplenomegaly | HSM | enlarged liver and spleen
cirrhosis | | scarred liver
hepatitis | | inflammation of the liver
elevated liver enzymes | | raised transaminases
gallstones | | stones in the gallbladder
anemia | | low hemoglobin
thrombocytopenia | | low platelets; low platelet count
leukocytosis | | raised white cell count
leukopenia | | low white cell count
neutropenia | | low neutrophil count
pancytopenia | | fall of all three cell lines
eosinophilia | | raised eosinophils
hemolytic anemia | | breakdown of red cells
epistaxis | | nosebleeds
proteinuria | | protein in the urine
hematuria | | blood in the urine
acute kidney injury | AKI | sudden loss of kidney function
chronic kidney disease | CKD | long-standing loss of kidney function
renal failure | | kidney failure
renal insufficiency | | impaired kidney function
end-stage renal disease | ESRD | terminal kidney failure
hydronephrosis | | dilated renal pelvis
nephrolithiasis | | kidney stones
urinary tract infection | UTI | infection of the urinary tract
vesicoureteral reflux | VUR | backflow of urine
polyuria | | passing of large volumes of urine
seizures | | convulsions; fits; epileptic attacks
seizure | | convulsion; fit
status epilepticus | SE | unceasing seizure
headache | | head pain; cephalalgia
headaches | | head pain
ataxia | | unsteady, uncoordinated movement; incoordination
cerebellar ataxia | | cerebellar incoordination
cerebellar atrophy | | shrunken cerebellum; loss of cerebellar volume
cerebral atrophy | | loss of brain volume
dysarthria | | slurred speech
nystagmus | | involuntary eye movements
hypotonia | | low muscle tone; floppiness
spasticity | | increased, spastic tone
muscle weakness | | loss of strength; weak muscles
peripheral neuropathy | PN | damage of the peripheral nerves
tremor | | shaking
vertigo | | spinning dizziness
paresthesia | | tingling
facial palsy | | weakness of the face; facial nerve paralysis
hydrocephalus | HCP | enlarged ventricles; excess of cerebrospinal fluid
microcephaly | | small head; head circumference below the norm
macrocephaly | | large head
stroke | CVA | cerebrovascular accident
transient ischemic attack | TIA |
developmental delay | DD | late milestones; slow development
global developmental delay | GDD | delay in all areas of development
intellectual disability | ID | impaired intellect; cognitive disability
cognitive impairment | | impaired cognition
developmental regression | | loss of acquired skills
dementia | | cognitive decline
hearing loss | HL | deafness; impaired hearing
sensorineural hearing loss | SNHL | inner-ear deafness
hearing impairment | | reduced hearing
visual impairment | | impaired sight; poor vision
blurred vision | | hazy vision
photophobia | | sensitivity to light
diplopia | | double vision
cataract | | clouded lens
cataracts | | clouded lenses
glaucoma | | raised eye pressure
strabismus | | squint; misaligned eyes
ptosis | | drooping eyelid
proptosis | | protruding eyes
hypertelorism | | widely spaced eyes
epicanthus | | epicanthal folds
micrognathia | | small jaw; small chin
low-set ears | | ears set low
cleft palate | CP | split palate
high palate | | high-arched palate
short stature | | small height; height below the norm
failure to thrive | FTT | poor weight gain
growth retardation | | poor growth
intrauterine growth retardation | IUGR | poor growth before birth
intrauterine growth restriction | IUGR | poor growth before birth
obesity | | severe overweight
scoliosis | | lateral curvature of the spine
kyphosis | | rounded back
osteoporosis | | fragile bones; loss of bone mass
osteopenia | | low bone density
joint stiffness | | stiff joints
joint hypermobility | | lax joints
arthralgia | | joint pain; aching joints
arthritis | | joint inflammation; inflamed joints
myalgia | | muscle pain; aching muscles
polydactyly | | extra digits
syndactyly | | fused digits
brachydactyly | | short digits
talipes equinovarus | TEV | clubfoot
cryptorchidism | | undescended testes
hypospadias | | urethral opening on the underside
amenorrhea | | absence of periods
infertility | | inability to conceive
delayed puberty | | late puberty
hypothyroidism | | underactive thyroid
hyperthyroidism | | overactive thyroid
diabetes mellitus | DM | diabetes
diabetes insipidus | DI |
hypoglycemia | | low blood sugar; low glucose
hyperglycemia | | high blood sugar
hypercalcemia | | high calcium
hypocalcemia | | low calcium
hyponatremia | | low sodium
hypokalemia | | low potassium
hyperkalemia | | high potassium
metabolic acidosis | | acidic blood of metabolic cause
lactic acidosis | | high lactate with acidosis
hyperammonemia | | raised ammonia
skin rash | | cutaneous eruption; skin eruption
rash | | skin eruption; exanthem
pruritus | | itching
erythema | | redness
alopecia | | hair loss; loss of hair
dry skin | | xerosis
hyperpigmentation | | darkened skin
papules | | small raised lesions
ulcers | | open sores
photosensitivity | | skin reaction to sunlight
immunodeficiency | | weak immune defense
recurrent infections | | infections again and again
sepsis | | bloodstream infection
otitis media | OM | middle ear infection
anosmia | | loss of smell
hoarseness | | hoarse voice
bleeding | | blood loss
back pain | | pain in the back
bone pain | | aching bones
chest tightness | | pressure in the chest
loss of consciousness | LOC | blackout
altered mental status | AMS | clouded consciousness
lower limb weakness | | weak legs
gait disturbance | | abnormal walking; disturbed gait
"""


def _parse() -> dict[str, Entry]:
    entries = {}
    for line in _TABLE.strip().splitlines():
        phrase, short, others = (part.strip() for part in line.split("|"))
        entries[phrase] = Entry(phrase, short, tuple(other.strip() for other in others.split(";") if other.strip()))
    return entries


ENTRIES = _parse()
_LONGEST = max(len(phrase.split()) for phrase in ENTRIES)
_WORD = re.compile(r"[A-Za-z][A-Za-z-]*")


def known_in(sentence: str) -> Iterator[tuple[str, int]]:
    """Yield the phrases of the table that a sentence holds, as they stand there, and where each begins.

    The longest phrase at a place is taken, so that `heart failure` does not hide `congestive heart failure`.
    """
    words = [(match.start(), match.end()) for match in _WORD.finditer(sentence)]
    lowered = sentence.lower()
    first = 0
    while first < len(words):
        start = words[first][0]
        for length in range(min(_LONGEST, len(words) - first), 0, -1):
            end = words[first + length - 1][1]
            if lowered[start:end] in ENTRIES:
                yield sentence[start:end], start
                first += length
                break
        else:
            first += 1


# What is weighed although the case does not mention it: phrase → stems that must not occur in the case.
PERTINENT_NEGATIVES: dict[str, tuple[str, ...]] = {
    "fever": ("fever", "febrile", "pyrexi", "temperature"),
    "seizures": ("seizure", "epilep", "convuls"),
    "jaundice": ("jaundice", "icter", "bilirubin"),
    "lymphadenopathy": ("lymph", "node"),
    "hepatosplenomegaly": ("hepato", "spleno", "liver", "spleen"),
    "hearing loss": ("hearing", "deaf"),
    "skin rash": ("rash", "erythem", "exanthem", "eruption"),
    "hematuria": ("hematuri", "haematuri"),
    "proteinuria": ("proteinuri", "nephrotic"),
    "chest pain": ("chest",),
    "weight loss": ("weight",),
    "night sweats": ("sweat",),
    "joint swelling": ("joint", "arthr"),
    "photophobia": ("photo",),
    "cyanosis": ("cyano",),
    "muscle weakness": ("weakness", "strength"),
    "hypoglycemia": ("glyc", "glucose", "sugar"),
    "eosinophilia": ("eosin",),
    "heart murmur": ("murmur", "heart"),
    "oral ulcers": ("ulcer",),
    "neck stiffness": ("neck", "mening"),
    "hemoptysis": ("hemopt", "haemopt"),
    "diarrhea": ("diarr", "stool"),
    "polyuria": ("polyuri", "urine"),
}
