"""Other words for clinical phrases, as colleagues at a table use them. Written by hand for the stub alone.

No table of an extractor is read here: a conversation that borrowed its paraphrases from the extractor that later reads
    it
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
        concept_id: the phenotype that the phrase means, else the disease; empty where no vocabulary has one.
        short: the usual short form; empty where there is none.
        others: paraphrases that mean the same, without articles.
    """

    phrase: str
    concept_id: str
    short: str
    others: tuple[str, ...]


# phrase | concept | short form | paraphrase; paraphrase
# Ids were given by hand, by one rule: HPO's term of that name; else MeSH's disease of that name (its tree number); else
# HPO's term that means the phrase, and where there is none, MeSH's disease that does.
_TABLE = """
ventricular septal defect | HP:0001629 | VSD | hole in the ventricular septum
atrial septal defect | HP:0001631 | ASD | defect of the atrial septum
patent ductus arteriosus | HP:0001643 | PDA | persistent arterial duct
patent foramen ovale | HP:0001655 | PFO | open foramen ovale
tetralogy of fallot | HP:0001636 | TOF |
coarctation of the aorta | HP:0001680 | CoA | narrowing of the aortic isthmus
congestive heart failure | HP:0001635 | CHF | cardiac decompensation
heart failure | MESH:C14.280.434 | HF | cardiac failure
hypertrophic cardiomyopathy | HP:0001639 | HCM | thickened heart muscle
dilated cardiomyopathy | HP:0001644 | DCM | enlarged, weak left ventricle
pulmonary arterial hypertension | HP:0002092 | PAH | raised pressure in the pulmonary circulation
pulmonary hypertension | MESH:C08.381.423 | PH | raised pulmonary artery pressure
pulmonary embolism | HP:0002204 | PE | clot in the pulmonary arteries
deep vein thrombosis | HP:0002625 | DVT | clot in the deep veins
atrial fibrillation | HP:0005110 | AF |
mitral regurgitation | HP:0001653 | MR | leaking mitral valve
hypertension | HP:0000822 | HTN | high blood pressure; elevated blood pressure
hypotension | HP:0002615 | | low blood pressure
tachycardia | HP:0001649 | | fast heart rate; rapid pulse
bradycardia | HP:0001662 | | slow heart rate
palpitations | HP:0001962 | | awareness of the heartbeat
syncope | HP:0001279 | | fainting; transient loss of consciousness
cyanosis | HP:0000961 | | bluish discoloration
edema | HP:0000969 | | swelling; fluid retention
chest pain | HP:0100749 | | thoracic pain; pain in the chest
cardiomegaly | HP:0001640 | | enlarged heart
myocardial infarction | HP:0001658 | MI | heart attack
dyspnea | HP:0002094 | | shortness of breath; breathlessness
shortness of breath | HP:0002094 | SOB | dyspnea; breathlessness
cough | HP:0012735 | | coughing
hemoptysis | HP:0002105 | | coughing up of blood
respiratory distress | HP:0002098 | | labored breathing
respiratory insufficiency | HP:0002093 | | insufficient breathing
respiratory failure | HP:0002878 | | failure of breathing
pneumonia | HP:0002090 | | lung infection
pleural effusion | HP:0002202 | | fluid around the lung
recurrent respiratory infections | HP:0002205 | | chest infections again and again
acute respiratory distress syndrome | HP:0033677 | ARDS |
chronic obstructive pulmonary disease | HP:0006510 | COPD |
apnea | HP:0002104 | | pauses in breathing
asthma | HP:0002099 | | reactive airways
fever | HP:0001945 | | pyrexia; raised temperature; febrile episodes
fatigue | HP:0012378 | | tiredness; exhaustion
weight loss | HP:0001824 | | loss of weight; falling weight
malaise | HP:0033834 | | feeling of being unwell
night sweats | HP:0030166 | | sweating at night
lymphadenopathy | HP:0002716 | LAD | enlarged lymph nodes; swollen nodes
pallor | HP:0000980 | | pale appearance
anorexia | HP:0002039 | | loss of appetite; poor appetite
poor appetite | HP:0004396 | | reduced appetite
vomiting | HP:0002013 | | emesis; bringing up of food
nausea | HP:0002018 | | queasiness
nausea and vomiting | HP:0002017 | N/V | queasiness with emesis
diarrhea | HP:0002014 | | loose stools
constipation | HP:0002019 | | infrequent stools
abdominal pain | HP:0002027 | | belly pain; pain in the abdomen
abdominal distension | HP:0003270 | | swollen abdomen; bloated belly
abdominal distention | HP:0003270 | | swollen abdomen; bloated belly
dysphagia | HP:0002015 | | difficulty in swallowing; trouble swallowing
gastroesophageal reflux | HP:0002020 | GER | reflux of stomach contents
gastrointestinal bleeding | HP:0002239 | GIB | blood loss from the gut
feeding difficulties | HP:0011968 | | poor feeding; trouble with feeding
malabsorption | HP:0002024 | | poor absorption of nutrients
ascites | HP:0001541 | | free abdominal fluid
jaundice | HP:0000952 | | icterus; yellow skin and sclerae
hepatomegaly | HP:0002240 | | enlarged liver; enlargement of the liver
splenomegaly | HP:0001744 | | enlarged spleen; enlargement of the spleen
hepatosplenomegaly | HP:0001433 | HSM | enlarged liver and spleen
cirrhosis | HP:0001394 | | scarred liver
hepatitis | HP:0012115 | | inflammation of the liver
elevated liver enzymes | HP:0002910 | | raised transaminases
gallstones | MESH:C06.130.409.633 | | stones in the gallbladder
anemia | HP:0001903 | | low hemoglobin
thrombocytopenia | HP:0001873 | | low platelets; low platelet count
leukocytosis | HP:0001974 | | raised white cell count
leukopenia | HP:0001882 | | low white cell count
neutropenia | HP:0001875 | | low neutrophil count
pancytopenia | HP:0001876 | | fall of all three cell lines
eosinophilia | HP:0001880 | | raised eosinophils
hemolytic anemia | HP:0001878 | | breakdown of red cells
epistaxis | HP:0000421 | | nosebleeds
proteinuria | HP:0000093 | | protein in the urine
hematuria | HP:0000790 | | blood in the urine
acute kidney injury | HP:0001919 | AKI | sudden loss of kidney function
chronic kidney disease | HP:0012622 | CKD | long-standing loss of kidney function
renal failure | HP:0000083 | | kidney failure
renal insufficiency | HP:0000083 | | impaired kidney function
end-stage renal disease | HP:0003774 | ESRD | terminal kidney failure
hydronephrosis | HP:0000126 | | dilated renal pelvis
nephrolithiasis | HP:0000787 | | kidney stones
urinary tract infection | MESH:C01.915 | UTI | infection of the urinary tract
vesicoureteral reflux | HP:0000076 | VUR | backflow of urine
polyuria | HP:0000103 | | passing of large volumes of urine
seizures | HP:0001250 | | convulsions; fits; epileptic attacks
seizure | HP:0001250 | | convulsion; fit
status epilepticus | HP:0002133 | SE | unceasing seizure
headache | HP:0002315 | | head pain; cephalalgia
headaches | HP:0002315 | | head pain
ataxia | HP:0001251 | | unsteady, uncoordinated movement; incoordination
cerebellar ataxia | MESH:C10.228.140.252.190 | | cerebellar incoordination
cerebellar atrophy | HP:0001272 | | shrunken cerebellum; loss of cerebellar volume
cerebral atrophy | HP:0002059 | | loss of brain volume
dysarthria | HP:0001260 | | slurred speech
nystagmus | HP:0000639 | | involuntary eye movements
hypotonia | HP:0001252 | | low muscle tone; floppiness
spasticity | HP:0001257 | | increased, spastic tone
muscle weakness | HP:0001324 | | loss of strength; weak muscles
peripheral neuropathy | HP:0009830 | PN | damage of the peripheral nerves
tremor | HP:0001337 | | shaking
vertigo | HP:0002321 | | spinning dizziness
paresthesia | HP:0003401 | | tingling
facial palsy | HP:0010628 | | weakness of the face; facial nerve paralysis
hydrocephalus | HP:0000238 | HCP | enlarged ventricles; excess of cerebrospinal fluid
microcephaly | HP:0000252 | | small head; head circumference below the norm
macrocephaly | HP:0000256 | | large head
stroke | HP:0001297 | CVA | cerebrovascular accident
transient ischemic attack | HP:0002326 | TIA |
developmental delay | HP:0001263 | DD | late milestones; slow development
global developmental delay | HP:0001263 | GDD | delay in all areas of development
intellectual disability | HP:0001249 | ID | impaired intellect; cognitive disability
cognitive impairment | HP:0100543 | | impaired cognition
developmental regression | HP:0002376 | | loss of acquired skills
dementia | HP:0000726 | | cognitive decline
hearing loss | MESH:C09.218.458.341 | HL | deafness; impaired hearing
sensorineural hearing loss | MESH:C09.218.458.341.887 | SNHL | inner-ear deafness
hearing impairment | HP:0000365 | | reduced hearing
visual impairment | HP:0000505 | | impaired sight; poor vision
blurred vision | HP:0000622 | | hazy vision
photophobia | HP:0000613 | | sensitivity to light
diplopia | HP:0000651 | | double vision
cataract | HP:0000518 | | clouded lens
cataracts | HP:0000518 | | clouded lenses
glaucoma | HP:0000501 | | raised eye pressure
strabismus | HP:0000486 | | squint; misaligned eyes
ptosis | HP:0000508 | | drooping eyelid
proptosis | HP:0000520 | | protruding eyes
hypertelorism | HP:0000316 | | widely spaced eyes
epicanthus | HP:0000286 | | epicanthal folds
micrognathia | HP:0000347 | | small jaw; small chin
low-set ears | HP:0000369 | | ears set low
cleft palate | HP:0000175 | CP | split palate
high palate | HP:0000218 | | high-arched palate
short stature | HP:0004322 | | small height; height below the norm
failure to thrive | HP:0001508 | FTT | poor weight gain
growth retardation | HP:0001510 | | poor growth
intrauterine growth retardation | HP:0001511 | IUGR | poor growth before birth
intrauterine growth restriction | HP:0001511 | IUGR | poor growth before birth
obesity | HP:0001513 | | severe overweight
scoliosis | HP:0002650 | | lateral curvature of the spine
kyphosis | HP:0002808 | | rounded back
osteoporosis | HP:0000939 | | fragile bones; loss of bone mass
osteopenia | HP:0000938 | | low bone density
joint stiffness | HP:0001387 | | stiff joints
joint hypermobility | HP:0001382 | | lax joints
arthralgia | HP:0002829 | | joint pain; aching joints
arthritis | HP:0001369 | | joint inflammation; inflamed joints
myalgia | HP:0003326 | | muscle pain; aching muscles
polydactyly | HP:0010442 | | extra digits
syndactyly | HP:0001159 | | fused digits
brachydactyly | HP:0001156 | | short digits
talipes equinovarus | HP:0001762 | TEV | clubfoot
cryptorchidism | HP:0000028 | | undescended testes
hypospadias | HP:0000047 | | urethral opening on the underside
amenorrhea | HP:0000141 | | absence of periods
infertility | HP:0000789 | | inability to conceive
delayed puberty | HP:0000823 | | late puberty
hypothyroidism | HP:0000821 | | underactive thyroid
hyperthyroidism | HP:0000836 | | overactive thyroid
diabetes mellitus | HP:0000819 | DM | diabetes
diabetes insipidus | HP:0000873 | DI |
hypoglycemia | HP:0001943 | | low blood sugar; low glucose
hyperglycemia | HP:0003074 | | high blood sugar
hypercalcemia | HP:0003072 | | high calcium
hypocalcemia | HP:0002901 | | low calcium
hyponatremia | HP:0002902 | | low sodium
hypokalemia | HP:0002900 | | low potassium
hyperkalemia | HP:0002153 | | high potassium
metabolic acidosis | HP:0001942 | | acidic blood of metabolic cause
lactic acidosis | HP:0003128 | | high lactate with acidosis
hyperammonemia | HP:0001987 | | raised ammonia
skin rash | HP:0000988 | | cutaneous eruption; skin eruption
rash | HP:0000988 | | skin eruption; exanthem
pruritus | HP:0000989 | | itching
erythema | HP:0010783 | | redness
alopecia | HP:0001596 | | hair loss; loss of hair
dry skin | HP:0000958 | | xerosis
hyperpigmentation | MESH:C17.800.621.430 | | darkened skin
papules | HP:0200034 | | small raised lesions
ulcers | MESH:C23.550.891 | | open sores
photosensitivity | HP:0000992 | | skin reaction to sunlight
immunodeficiency | HP:0002721 | | weak immune defense
recurrent infections | HP:0002719 | | infections again and again
sepsis | HP:0100806 | | bloodstream infection
otitis media | HP:0000388 | OM | middle ear infection
anosmia | HP:0000458 | | loss of smell
hoarseness | MESH:C08.360.940.490 | | hoarse voice
bleeding | MESH:C23.550.414 | | blood loss
back pain | HP:0003418 | | pain in the back
bone pain | HP:0002653 | | aching bones
chest tightness | HP:0031352 | | pressure in the chest
loss of consciousness | HP:0007185 | LOC | blackout
altered mental status |  | AMS | clouded consciousness
lower limb weakness | HP:0007340 | | weak legs
gait disturbance | HP:0001288 | | abnormal walking; disturbed gait
"""


def _parse() -> dict[str, Entry]:
    entries = {}
    for line in _TABLE.strip().splitlines():
        phrase, concept_id, short, others = (part.strip() for part in line.split("|"))
        paraphrases = tuple(other.strip() for other in others.split(";") if other.strip())
        entries[phrase] = Entry(phrase, concept_id, short, paraphrases)
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
