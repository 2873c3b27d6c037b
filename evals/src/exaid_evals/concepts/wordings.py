"""What clinicians write for concepts, where the vocabularies list no such synonym: a line is a name and wordings.

Written from clinical usage and textbooks, by hand; no line was taken from an annotated text, and none is one of the
paraphrases that the generator of synthetic conversations uses, so that these measure the extractor. A
wording that HPO or MeSH has for another phenotype keeps that meaning.
"""

WORDINGS = """
Abdominal distention: bloated
Abdominal pain: tummy pain; belly ache; tummy ache; stomach ache
Abnormal facial shape: facial dysmorphia; unusual facies; unusual facial features
Abnormality of the liver: liver disease; hepatopathy
Absent speech: non-verbal; nonverbal; no speech; no words; never spoke
Agitation: agitated
Amenorrhea: missed periods; absent periods; absence of menses
Amoxicillin and Clavulanic Acid: Augmentin; co-amoxiclav
Angina pectoris: angina
Anxiety: anxious; anxious behavior; anxiousness
Apnea: apneic; apneic spells; apnoeic episodes
Atrial septal defect: secundum ASD; ASD secundum
Autistic behavior: autistic features; autistic traits; autistic-like behavior; features of autism
Azithromycin: Z-Pak; Zpak
Babinski sign: positive Babinski; upgoing plantars; extensor plantars
Bilateral tonic-clonic seizure: GTCS; GTC seizures; grand mal
Bleeding with minor or no trauma: spontaneous bleeding
Bowing of the legs: bowing of the lower limbs; bowed lower limbs
Brain atrophy: brain volume loss; reduced brain volume
Bruising susceptibility: easily bruised
Cephalexin: Keflex
Cerebral atrophy: cerebral volume loss; reduced cerebral volume
Clinodactyly of the 5th finger: clinodactyly of the fifth fingers; incurved fifth fingers; incurved little fingers
Clumsiness: clumsy gait; clumsy movements
CNS hypomyelination: hypomyelination
Cryptorchidism: undescended testicle; maldescended testes; non-palpable testes
Cyanosis: cyanotic; cyanosed
Decreased body weight: weight below the third percentile; weight below the 3rd centile
Delayed ability to walk: late walking; walked late
Delayed speech and language development: no meaningful words; delayed language milestones; late talking
Depressed nasal bridge: sunken nasal bridge; depressed root of the nose
Depression: depressed mood; low mood
Developmental regression: loss of previously acquired skills; loss of developmental milestones; regression of
    milestones; neuroregression; regression of development; lost milestones
Diabetes mellitus: diabetes
Diarrhea: loose motions; watery stools
Distal muscle weakness: distal weakness
Downturned corners of mouth: turned down corners of the mouth; turned-down mouth corners
Dyspnea: breathless
Dystonia: dystonic posturing; dystonic posture; dystonic movements
Dysuria: painful urination; burning urination; burning on urination; pain on urination
Easy fatigability: fatigability
Elevated circulating C-reactive protein concentration: elevated CRP; raised CRP; high CRP
Elevated circulating creatine kinase concentration: elevated CK; raised CK; high CK; raised CPK; elevated serum CK; CK
    elevation; elevated muscle enzymes
Elevated circulating hepatic transaminase concentration: elevated liver enzymes; raised liver enzymes; deranged liver
    enzymes; deranged liver function tests; elevated transaminases; elevated AST; elevated ALT; transaminitis;
    hypertransaminasemia
Elevated erythrocyte sedimentation rate: elevated ESR; raised ESR; high ESR
Eosinophilia: elevated eosinophil count; high eosinophil count; elevated eosinophils
Excessive daytime somnolence: daytime sleepiness; daytime somnolence
Extremities cold to touch: cold hands; cold extremities; cold feet
Failure to thrive: poor thriving; faltering growth; failure to gain weight; not gaining weight
Falls: recurrent falls; repeated falls
Feeding difficulties: difficulty feeding; difficulties with feeding; feeding intolerance; reluctance to feed
Fever: febrile; pyrexial; high temperature
Finger syndactyly: fused fingers
First degree atrioventricular block: first-degree AV block; first degree heart block
Flushing: flushed
Gait disturbance: trouble walking; gait abnormality; abnormal gait; walking difficulties; difficulty walking
Gastrostomy tube feeding in infancy: PEG feeding; G-tube feeding
Generalized morning stiffness: morning stiffness
Generalized muscle weakness: general weakness
Global developmental delay: developmentally delayed; global delay; delayed developmental milestones; delay of milestones
Hearing impairment: decreased hearing; poor hearing; difficulty hearing; trouble hearing; deaf; hard of hearing; hearing
    difficulties; deafness
Heart murmur: cardiac murmur; systolic murmur
Hematochezia: blood in stool; bloody stool
Hemiparesis: left-sided weakness; right-sided weakness; hemiparetic
Hemoptysis: coughing up blood; coughed up blood
Hepatomegaly: palpable liver; liver enlargement; hepatic enlargement
Hoarse voice: hoarse
Hyperactivity: hyperactive behaviour; hyperactive behavior; overactivity
Hyperglycemia: elevated blood glucose; elevated glucose; elevated blood sugar; raised blood glucose
Hyperhomocystinemia: elevated homocysteine; raised homocysteine
Hyperreflexia: hyperactive reflexes; hyperactive tendon reflexes; brisk tendon reflexes; exaggerated tendon reflexes
Hypoglycemia: low blood glucose
Hyporeflexia: diminished tendon reflexes; sluggish reflexes; depressed reflexes
Hypothyroidism: hypothyroid
Hypotonia: decreased muscle tone; reduced muscle tone; poor muscle tone; decreased tone; floppy baby; floppy infant;
    floppiness; low tone
Hypoxemia: oxygen desaturation; low oxygen saturation; hypoxic
Inability to walk: non-ambulatory; nonambulant; non-ambulant; never walked; not able to walk independently
Increased circulating lactate concentration: raised lactate; high lactate; elevated blood lactate; hyperlactatemia
Increased nuchal translucency: thickened nuchal translucency
Intellectual disability: learning difficulties; mentally handicapped; mental handicap
Intellectual disability, severe: severe learning disability; severe learning difficulties
Intrauterine growth retardation: fetal growth restriction; intrauterine growth restriction
Irritability: irritable
Jaundice: jaundiced; icteric
Joint hypermobility: hypermobile joints; ligamentous laxity; hyperextensible joints
Left ventricular hypertrophy: LV hypertrophy
Leukocytosis: elevated white blood cell count; high white blood cell count; elevated WBC; elevated leukocytes
Leukopenia: low white blood cell count; low WBC
Levothyroxine: Synthroid
Limb hypertonia: increased tone in the limbs; increased limb tone
Loss of ambulation: lost ambulation; loss of independent walking; became wheelchair-bound; wheelchair bound
Low-set ears: low set pinnae; low-lying ears
Lymphadenopathy: lymph node enlargement; lymph node swelling; swollen lymph nodes; enlarged lymph glands
Lymphopenia: low lymphocyte count
Macrocephaly: head circumference above the 97th percentile
Malnutrition: malnourished
Melena: black stools; tarry stools; black tarry stools
Microcephaly: head circumference below the third percentile
Microphthalmia: small eyes; small globes
Motor delay: delayed motor development; delayed motor milestones
Motor stereotypy: stereotypies; stereotypic movements; stereotyped movements; stereotypic behavior; hand stereotypies
Muscle weakness: weakness of muscles
Myalgia: body aches; muscle aches
Nausea: nauseated
Neonatal hypotonia: hypotonia at birth; hypotonic at birth; floppy at birth
Neutrophilia: elevated neutrophils; high neutrophil count
Nystagmus: nystagmoid movements; jerking eye movements
Obesity: obese
Pallor: appeared pale; looked pale; looks pale; pale skin; pale complexion; pallid
Patent ductus arteriosus: persistent ductus arteriosus; open ductus arteriosus
Patent foramen ovale: persistent foramen ovale
Pedal edema: swelling of the feet; leg swelling; swelling of the legs
Phenytoin: Dilantin
Photophobia: light sensitivity
Poor suck: weak suck; weak sucking; poor sucking
Postural instability: loss of balance; poor balance; balance problems; balance difficulties; impaired balance
Premature birth: prematurity; born prematurely; preterm birth; preterm infant; premature infant; preterm delivery
Prolonged neonatal jaundice: prolonged jaundice
Prolonged partial thromboplastin time: prolonged aPTT; prolonged PTT
Prolonged QT interval: QT prolongation; prolonged QT
Prolonged QTc interval: prolonged QTc; QTc prolongation
Prominent fingertip pads: fetal finger pads; fetal fingertip pads; fetal pads
Proximal muscle weakness: proximal weakness; proximal limb weakness
Pruritus: pruritic; itchy
Ptosis: droopy eyelids; drooping of the eyelids; eyelid drooping
Recurrent ear infections: frequent ear infections; repeated ear infections
Recurrent fractures: multiple fractures; frequent fractures; repeated fractures
Recurrent respiratory infections: frequent respiratory infections; repeated chest infections
Recurrent urinary tract infections: recurrent UTI; recurrent UTIs; repeated UTIs; frequent UTIs
Red eye: redness of the eyes; eye redness; ocular redness
Reduced bone mineral density: low bone mass; reduced bone density
Reduced consciousness: altered consciousness; impaired consciousness; decreased consciousness; altered level of
    consciousness
Respiratory distress: respiratory difficulty; laboured breathing
Respiratory tract infection: chest infection
Second degree atrioventricular block: second-degree AV block; second degree heart block
Seizure: convulsing; seizing; epileptic fits; convulsive fits; convulsive episodes
Self-injurious behavior: self-harm
Short attention span: poor attention; inattention
Skin rash: rash; erythematous rash
Sleep abnormality: sleep disturbance; sleep problems; poor sleep; disturbed sleep; difficulty sleeping
Sneeze: sneezing
Spasticity: spastic; spastic tone
Splenomegaly: palpable spleen
ST segment elevation: ST elevation
Status epilepticus: prolonged seizures
Strabismus: crossed eyes
Suicidal ideation: suicidal; suicidal intent
Syncope: fainted; fainting spells; fainting episodes
Systemic lupus erythematosus: lupus
Tachycardia: high heart rate; fast pulse
Tachypnea: fast breathing; rapid respiration
Thrombocytopenia: decreased platelets; reduced platelets; low thrombocytes
Tremor: tremulous
Type I diabetes mellitus: DM type 1; type 1 DM; DM type I; type I DM
Type II diabetes mellitus: DM type 2; type 2 DM; DM type II; type II DM
Upslanted palpebral fissure: up-slanting palpebral fissures
Urinary incontinence: incontinent of urine
Ventriculomegaly: ventricular enlargement; prominent ventricles; ventricular dilatation; enlarged ventricular system;
    prominent ventricular system
Vertigo: dizzy
Vomiting: vomited; emesis; vomits; threw up; throwing up
Weight loss: lost weight; losing weight; loses weight; wt loss
Wheezing: wheezes; wheezy
Widely-spaced maxillary central incisors: gap between the upper front teeth
"""


SHORT_FORMS = """
abdominal aortic aneurysm: ?AAA
acute kidney injury: ?ARF
acute coronary syndrome: ACS
amyotrophic lateral sclerosis: ?ALS
atrial fibrillation: AFib; AFIB
benign paroxysmal positional vertigo: BPPV
benign prostatic hyperplasia: BPH
chest pain: ?CP
chronic kidney disease: CKD
chronic lymphocytic leukemia: CLL
chronic obstructive pulmonary disease: COPD
congestive heart failure: CHF; HFrEF; HFpEF
coronary artery disease: ?CAD
cystic fibrosis: ?CF
deep venous thrombosis: DVT
diabetes mellitus: ?DM
diabetic ketoacidosis: DKA
diarrhea: /D
disseminated intravascular coagulation: ?DIC
dyspnea: SOB
end stage renal disease: ESRD; ESKD
exertional dyspnea: DOE; dyspnea on exertion
gastroesophageal reflux disease: GERD; GORD
gastrointestinal hemorrhage: GIB; UGIB; LGIB; GI bleed; GI bleeding
generalized anxiety disorder: ?GAD
headache: ?HA
hematochezia: BRBPR
hepatocellular carcinoma: ?HCC
HIV infection: ?HIV
hyperlipidemia: HLD
hypertension: HTN
Inflammatory Bowel Diseases: ?IBD
intracranial hemorrhage: ?ICH
intrauterine growth retardation: IUGR; FGR
irritable bowel syndrome: ?IBS
left bundle branch block: LBBB
left ventricular hypertrophy: LVH
low back pain: LBP
major depressive disorder: ?MDD
mitral regurgitation: ?MR
mitral valve prolapse: ?MVP
multiple sclerosis: ?MS
myocardial infarction: ?MI; AMI
obstructive sleep apnea: OSA
penicillins: PCN
nausea and vomiting: N/V
osteoarthritis: ?OA; DJD
Parkinson disease: ?PD
paroxysmal nocturnal dyspnea: ?PND
patent foramen ovale: PFO
pelvic inflammatory disease: ?PID
Peripheral Arterial Disease: ?PAD
Peripheral Vascular Diseases: ?PVD
pneumonia: PNA
polycystic ovary syndrome: PCOS
pulmonary arterial hypertension: ?PAH
pulmonary embolism: ?PE
renal cell carcinoma: ?RCC
respiratory syncytial virus infection: ?RSV
rheumatoid arthritis: ?RA
right bundle branch block: RBBB
small for gestational age: SGA
stroke: ?CVA
subarachnoid hemorrhage: ?SAH
subdural hemorrhage: ?SDH
transient ischemic attack: TIA
traumatic brain injury: ?TBI
tricuspid regurgitation: ?TR
tuberculosis: ?TB
type 1 diabetes mellitus: T1DM; DM1; DMI
type 2 diabetes mellitus: T2DM; DM2; DMII
upper respiratory tract infection: ?URI; URTI
urinary tract infection: UTI
ventricular fibrillation: VFib; V-fib
ventricular tachycardia: ?VT; VTach; V-tach
"""
"""A name that some vocabulary lists, and its short forms; those with a question mark have other meanings in notes, and
count only where their company says which one is meant. *N/V* may go on with */D*."""


def listed(table: str) -> dict[str, tuple[str, ...]]:
    """Return the name that begins each line of a table, and what the line lists."""
    lines = table.strip().replace("\n    ", " ").splitlines()
    parts = (line.partition(": ") for line in lines)
    return {name: tuple(one.strip() for one in others.split(";")) for name, _, others in parts}
