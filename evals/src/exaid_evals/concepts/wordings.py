"""What clinicians write for phenotypes, where HPO lists no such synonym: a line is a preferred name and wordings.

Written from clinical usage and textbooks, by hand; no line was taken from an annotated text, and none is one of the
paraphrases that the generator of synthetic conversations uses, so that these measure the extractor. A
wording that HPO or MeSH has for another phenotype keeps that meaning.
"""

WORDINGS = """
Abnormal facial shape: facial dysmorphia; unusual facies; unusual facial features
Absent speech: non-verbal; nonverbal; no speech; no words; never spoke
Abnormality of the liver: liver disease; hepatopathy
Anxiety: anxious behavior; anxiousness
Apnea: apneic spells; apnoeic episodes
Atrial septal defect: secundum ASD; ASD secundum
Autistic behavior: autistic features; autistic traits; autistic-like behavior; features of autism
Bilateral tonic-clonic seizure: GTCS; GTC seizures; grand mal
Bleeding with minor or no trauma: spontaneous bleeding
Bowing of the legs: bowing of the lower limbs; bowed lower limbs
CNS hypomyelination: hypomyelination; cerebral hypomyelination
Clinodactyly of the 5th finger: clinodactyly of the fifth fingers; incurved fifth fingers; incurved little fingers
Cryptorchidism: undescended testicle; maldescended testes; non-palpable testes
Decreased body weight: weight below the third percentile; weight below the 3rd centile
Delayed ability to walk: late walking; walked late
Delayed speech and language development: no meaningful words; delayed language milestones; late talking
Depressed nasal bridge: sunken nasal bridge; depressed root of the nose
Developmental regression: loss of previously acquired skills; loss of developmental milestones; regression of
    milestones; neuroregression; regression of development; lost milestones
Diabetes mellitus: diabetes
Diarrhea: loose motions; watery stools
Dystonia: dystonic posturing; dystonic posture; dystonic movements
Elevated circulating creatine kinase concentration: elevated CK; raised CK; high CK; raised CPK; elevated serum CK; CK
    elevation; elevated muscle enzymes
Elevated circulating C-reactive protein concentration: elevated CRP; raised CRP; high CRP
Elevated circulating hepatic transaminase concentration: elevated liver enzymes; raised liver enzymes; deranged liver
    enzymes; deranged liver function tests; elevated transaminases; elevated AST; elevated ALT; transaminitis;
    hypertransaminasemia
Elevated erythrocyte sedimentation rate: elevated ESR; raised ESR; high ESR
Failure to thrive: poor thriving; faltering growth; failure to gain weight; not gaining weight
Falls: recurrent falls; repeated falls
Feeding difficulties: difficulty feeding; difficulties with feeding; feeding intolerance; reluctance to feed
Fever: pyrexial; high temperature
Gait disturbance: gait abnormality; abnormal gait; walking difficulties; difficulty walking
Gastrostomy tube feeding in infancy: PEG feeding; G-tube feeding
Hypotonia: floppy baby; floppy infant; floppiness; low tone
Global developmental delay: developmentally delayed; global delay; delayed developmental milestones; delay of milestones
Hearing impairment: deaf; hard of hearing; hearing difficulties; deafness
Heart murmur: cardiac murmur; systolic murmur
Hyperactivity: hyperactive behaviour; hyperactive behavior; overactivity
Hyperreflexia: brisk tendon reflexes; exaggerated tendon reflexes
Hyporeflexia: diminished tendon reflexes; sluggish reflexes; depressed reflexes
Inability to walk: non-ambulatory; nonambulant; non-ambulant; never walked; not able to walk independently
Increased circulating lactate concentration: raised lactate; high lactate; elevated blood lactate; hyperlactatemia
Intellectual disability: learning difficulties; mentally handicapped; mental handicap
Intellectual disability, severe: severe learning disability; severe learning difficulties
Intrauterine growth retardation: IUGR; fetal growth restriction; FGR; intrauterine growth restriction
Joint hypermobility: hypermobile joints; ligamentous laxity; hyperextensible joints
Limb hypertonia: increased tone in the limbs; increased limb tone
Loss of ambulation: lost ambulation; loss of independent walking; became wheelchair-bound; wheelchair bound
Low-set ears: low set pinnae; low-lying ears
Lymphadenopathy: swollen lymph nodes; enlarged lymph glands
Macrocephaly: head circumference above the 97th percentile
Microcephaly: head circumference below the third percentile
Microphthalmia: small eyes; small globes
Motor delay: delayed motor development; delayed motor milestones
Motor stereotypy: stereotypies; stereotypic movements; stereotyped movements; stereotypic behavior; hand stereotypies
Muscle weakness: weakness of muscles
Neonatal hypotonia: hypotonia at birth; hypotonic at birth; floppy at birth
Nystagmus: nystagmoid movements; jerking eye movements
Patent ductus arteriosus: persistent ductus arteriosus; open ductus arteriosus
Patent foramen ovale: PFO; persistent foramen ovale
Pedal edema: swelling of the feet; leg swelling; swelling of the legs
Poor suck: weak suck; weak sucking; poor sucking
Premature birth: prematurity; born prematurely; preterm birth; preterm infant; premature infant; preterm delivery
Prolonged neonatal jaundice: prolonged jaundice
Prominent fingertip pads: fetal finger pads; fetal fingertip pads; fetal pads
Proximal muscle weakness: proximal weakness; proximal limb weakness
Ptosis: droopy eyelids; drooping of the eyelids; eyelid drooping
Recurrent ear infections: frequent ear infections; repeated ear infections
Recurrent fractures: multiple fractures; frequent fractures; repeated fractures
Recurrent respiratory infections: frequent respiratory infections; repeated chest infections
Recurrent urinary tract infections: recurrent UTI; recurrent UTIs; repeated UTIs; frequent UTIs
Reduced bone mineral density: low bone mass; reduced bone density
Respiratory distress: respiratory difficulty; laboured breathing
Respiratory tract infection: chest infection
Seizure: convulsing; seizing; epileptic fits; convulsive fits; convulsive episodes
Self-injurious behavior: self-harm
Short attention span: poor attention; inattention
Skin rash: rash; erythematous rash
Sleep abnormality: sleep disturbance; sleep problems; poor sleep; disturbed sleep; difficulty sleeping
Small for gestational age: SGA
Spasticity: spastic; spastic tone
Splenomegaly: palpable spleen
Hepatomegaly: palpable liver; liver enlargement; hepatic enlargement
Status epilepticus: prolonged seizures
Tachypnea: fast breathing; rapid respiration
Thrombocytopenia: decreased platelets; reduced platelets; low thrombocytes
Urinary incontinence: incontinent of urine
Ventriculomegaly: ventricular enlargement; prominent ventricles; ventricular dilatation; enlarged ventricular system;
    prominent ventricular system
Vomiting: emesis; vomits
Widely-spaced maxillary central incisors: gap between the upper front teeth
"""


def wordings() -> dict[str, tuple[str, ...]]:
    """Preferred name of a phenotype to further wordings of it."""
    lines = WORDINGS.strip().replace("\n    ", " ").splitlines()
    parts = (line.partition(": ") for line in lines)
    return {name: tuple(one.strip() for one in listed.split(";")) for name, _, listed in parts}
